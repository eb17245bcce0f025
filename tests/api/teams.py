"""What tests of teams do over and over: make one, put people in, look at what was written down."""

from itertools import count
from typing import Any

import aiohttp

from tests.factories import register
from tests.people import Person, call, id_of, person

NOBODY = "01935b5c-6d1e-7a3b-8c4d-5e6f708192a3"

_CUSTOM = """
WITH made AS (
    INSERT INTO roles (id, name, rank) VALUES (gen_random_uuid(), $1, $2) RETURNING id
)
INSERT INTO role_permissions (role_id, permission) SELECT id, unnest($3::text[]) FROM made
"""
_numbers = count(1)


async def team(api: aiohttp.ClientSession, who: Person, **facts: Any) -> dict[str, Any]:
    """Create a team as somebody; return it."""
    body = {"name": f"Team {next(_numbers)}"} | facts
    status, told = await call(api, who, "POST", "/teams", body)
    assert status == 201, told
    return dict(told["data"])


async def put(
    api: aiohttp.ClientSession,
    who: Person,
    where: dict[str, Any],
    whom: Person | str,
    role: str | None = None,
    **headers: str,
) -> tuple[int, Any]:
    """Put somebody into a team; return status and body."""
    user_id = whom if isinstance(whom, str) else id_of(whom)
    body = {"role": role} if role else None
    return await call(api, who, "PUT", f"/teams/{where['id']}/members/{user_id}", body, **headers)


async def remove(
    api: aiohttp.ClientSession, who: Person, where: dict[str, Any], whom: Person | str
) -> int:
    """Take somebody out of a team; return the status."""
    user_id = whom if isinstance(whom, str) else id_of(whom)
    status, _ = await call(api, who, "DELETE", f"/teams/{where['id']}/members/{user_id}")
    return status


async def member(
    api: aiohttp.ClientSession, by: Person, where: dict[str, Any], **facts: Any
) -> Person:
    """Register an ordinary user who is in a team."""
    who = await register(api, **facts)
    assert (await put(api, by, where, who))[0] == 200
    return who


async def custom(
    api: aiohttp.ClientSession, owner: Any, *permissions: str, rank: int = 500
) -> Person:
    """Register somebody with a role of their own."""
    name = f"custom-{next(_numbers)}"
    await owner.execute(_CUSTOM, name, rank, list(permissions))
    return await person(api, owner, name)


async def get(api: aiohttp.ClientSession, who: Person, where: dict[str, Any]) -> dict[str, Any]:
    """Return a team as somebody sees it."""
    status, told = await call(api, who, "GET", f"/teams/{where['id']}")
    assert status == 200, told
    return dict(told["data"])


async def actions(owner: Any, like: str = "team.%") -> list[str]:
    """Return the audit events about teams, in order."""
    rows = await owner.fetch(
        "SELECT action FROM audit_inbox WHERE action LIKE $1 ORDER BY id", like
    )
    return [row["action"] for row in rows]


async def statuses(api: aiohttp.ClientSession, who: Person, *calls: tuple[Any, ...]) -> list[int]:
    """Make calls one after the other; return their statuses."""
    return [(await call(api, who, *asked))[0] for asked in calls]
