"""People with roles, for tests: registered through the front door, their roles given behind it."""

from typing import Any

import aiohttp

from storage.roles import BuiltInRole
from tests.factories import bearer, register

_GIVE = "INSERT INTO user_roles (user_id, role_id) SELECT $1, id FROM roles WHERE name = $2"

Person = dict[str, Any]


async def person(
    api: aiohttp.ClientSession, owner: Any, role: str = BuiltInRole.USER, **facts: Any
) -> Person:
    """Register somebody with one role and a proved address; return the data of the answer."""
    who = await register(api, **facts)
    await owner.execute("UPDATE users SET email_verified = true WHERE id = $1", id_of(who))
    if role != BuiltInRole.USER:
        await owner.execute("DELETE FROM user_roles WHERE user_id = $1", id_of(who))
        if role != BuiltInRole.GUEST:
            await owner.execute(_GIVE, id_of(who), role)
    assert who["user"]["role"] == BuiltInRole.USER  # of the answer; the process asks anew
    return who


async def admin(api: aiohttp.ClientSession, owner: Any) -> Person:
    """Register an administrator."""
    return await person(api, owner, BuiltInRole.ADMIN)


async def manager(api: aiohttp.ClientSession, owner: Any) -> Person:
    """Register somebody who may manage teams."""
    return await person(api, owner, BuiltInRole.MANAGER)


def id_of(who: Person) -> str:
    """Return somebody's id."""
    return str(who["user"]["id"])


async def call(
    api: aiohttp.ClientSession,
    who: Person | None,
    method: str,
    path: str,
    body: Any = None,
    **headers: str,
) -> tuple[int, Any]:
    """Call an endpoint under /api/v1 as somebody; return status and body, None where it is empty.

    `If_Match="..."` is sent as If-Match.
    """
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    sent |= bearer(who) if who else {}
    async with api.request(method, f"/api/v1{path}", json=body, headers=sent) as answer:
        raw = await answer.read()
        return answer.status, await answer.json(content_type=None) if raw else None
