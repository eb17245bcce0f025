"""Roles of a test's own, and people who have them."""

import json
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import aiohttp

from ops.ids import new_id
from tests.people import Person, call, id_of, person

_ADD = "INSERT INTO roles (id, name, rank) VALUES ($1, $2, $3)"
_PERMIT = "INSERT INTO role_permissions (role_id, permission) SELECT $1, unnest($2::text[])"

_numbers = count(1)

Probe = Callable[[aiohttp.ClientSession, Person], Awaitable[Any]]
Change = tuple[str, str, Any]


async def own_role(owner: Any, *permissions: str, rank: int = 50) -> str:
    """Make a role behind the front door; return its name."""
    role_id, name = new_id(), f"own-{next(_numbers)}"
    await owner.execute(_ADD, role_id, name, rank)
    await owner.execute(_PERMIT, role_id, list(permissions))
    return name


async def holder(
    api: aiohttp.ClientSession, owner: Any, *permissions: str, rank: int = 50
) -> Person:
    """Register somebody who has one role of their own, and no other."""
    return await person(api, owner, await own_role(owner, *permissions, rank=rank))


async def events(owner: Any, *actions: str) -> list[tuple[str, dict[str, Any]]]:
    """Return what was noted in the audit trail of these actions, in order."""
    rows = await owner.fetch(
        "SELECT action, facts FROM audit_inbox WHERE action = ANY($1) ORDER BY id", list(actions)
    )
    return [(row["action"], json.loads(row["facts"])) for row in rows]


async def roles_read(api: aiohttp.ClientSession, who: Person) -> Any:
    """Return whether somebody may see roles."""
    return (await call(api, who, "GET", "/permissions"))[0]


async def highest(api: aiohttp.ClientSession, who: Person) -> Any:
    """Return the highest role somebody has."""
    return (await call(api, who, "GET", "/auth/me"))[1]["data"]["role"]


def changes(who: Person, role: str) -> list[tuple[Probe, Change, Any, Any]]:
    """Return how to ask, what is changed, what is answered before and after, one upon another."""
    given, itself = f"/users/{id_of(who)}/roles/{role}", f"/roles/{role}"
    none: list[str] = []
    return [
        (roles_read, ("PUT", given, None), 403, 200),
        (roles_read, ("PATCH", itself, {"permissions": none}), 200, 403),
        (roles_read, ("PATCH", itself, {"permissions": ["roles:read"]}), 403, 200),
        (highest, ("PATCH", itself, {"rank": 200}), "user", role),
        (highest, ("PATCH", itself, {"rank": 50}), role, "user"),
        (roles_read, ("DELETE", given, None), 200, 403),
    ]
