"""Whoever had to wait for somebody else's change decides by what that change left."""

import asyncio
from typing import Any

import aiohttp

from storage.roles import BuiltInRole
from tests.api.teams import get, put, remove, team
from tests.factories import bearer
from tests.people import admin, call, id_of, manager, person
from tests.workers.processes import eventually

_SOMEBODY_WAITS = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
_GIVE = "INSERT INTO user_roles (user_id, role_id) SELECT $1, id FROM roles WHERE name = $2"


async def test_nobody_is_deleted_who_was_changed_since_they_were_looked_at(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss, ada = await admin(api, owner), await person(api, owner)
    path = f"/users/{id_of(ada)}"
    async with api.get(f"/api/v1{path}", headers=bearer(boss)) as answer:
        tag = answer.headers["ETag"]

    async with owner.transaction():
        await owner.execute(
            "UPDATE users SET first_name = 'Grace', version = version + 1 WHERE id = $1", id_of(ada)
        )
        waiting = asyncio.create_task(call(api, boss, "DELETE", path, If_Match=tag))
        await eventually(lambda: owner.fetchval(_SOMEBODY_WAITS))

    assert (await waiting)[0] == 412
    assert (await call(api, ada, "GET", "/auth/me"))[1]["data"]["firstName"] == "Grace"


async def test_nobody_is_taken_out_of_a_team_by_whom_they_stand_above_by_now(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead, ada = await manager(api, owner), await person(api, owner)
    made = await team(api, lead)
    await put(api, lead, made, ada)

    async with owner.transaction():
        await owner.execute(_GIVE, id_of(ada), BuiltInRole.ADMIN)
        waiting = asyncio.create_task(remove(api, lead, made, ada))
        await eventually(lambda: owner.fetchval(_SOMEBODY_WAITS))

    assert await waiting == 403
    assert (await get(api, lead, made))["memberCount"] == 2
