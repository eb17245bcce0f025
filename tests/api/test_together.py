"""What many ask for at one moment shares a statement: each gets their own, and waits for nobody."""

import asyncio
from typing import Any
from uuid import UUID

import aiohttp

from tests.factories import bearer, register
from tests.people import admin
from tests.workers.processes import eventually

REFRESH = "/api/v1/auth/refresh"
ME = "/api/v1/auth/me"
USERS = "/api/v1/users"

_SOMEBODY_WAITS = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"


async def refresh(api: aiohttp.ClientSession, token: str) -> Any:
    async with api.post(REFRESH, json={"refreshToken": token}) as answer:
        body = await answer.json()
        assert answer.status == 200, body
        return body["data"]


async def email_of(api: aiohttp.ClientSession, signed_in: Any) -> str:
    async with api.get(ME, headers=bearer(signed_in)) as answer:
        body = await answer.json()
        assert answer.status == 200, body
        return str(body["data"]["email"])


async def test_everybody_who_refreshes_at_one_moment_goes_on_as_themselves(
    api: aiohttp.ClientSession,
) -> None:
    people = [await register(api) for _ in range(8)]

    pairs = await asyncio.gather(*[refresh(api, each["refreshToken"]) for each in people])

    emails = await asyncio.gather(*[email_of(api, pair) for pair in pairs])
    assert emails == [each["user"]["email"] for each in people]


async def test_tabs_that_refresh_at_one_moment_get_the_same_refresh_token(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    token = (await register(api))["refreshToken"]

    pairs = await asyncio.gather(*[refresh(api, token) for _ in range(4)])

    assert len({pair["refreshToken"] for pair in pairs}) == 1
    assert await owner.fetchval("SELECT generation FROM sessions") == 1


async def test_a_session_that_is_locked_waits_and_lets_others_pass(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    held, other = await register(api), await register(api)
    async with owner.transaction():
        await owner.execute(
            "SELECT FROM sessions WHERE user_id = $1 FOR UPDATE", UUID(held["user"]["id"])
        )
        waiting = asyncio.create_task(refresh(api, held["refreshToken"]))
        await eventually(lambda: owner.fetchval(_SOMEBODY_WAITS))

        passed = await refresh(api, other["refreshToken"])

        assert not waiting.done()
    assert await email_of(api, passed) == other["user"]["email"]
    assert await email_of(api, await waiting) == held["user"]["email"]


async def test_everybody_read_at_one_moment_is_themselves_and_each_read_is_noted(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    reader = await admin(api, owner)
    people = [(await register(api))["user"] for _ in range(6)]

    async def read(user_id: str) -> tuple[int, Any]:
        async with api.get(f"{USERS}/{user_id}", headers=bearer(reader)) as answer:
            return answer.status, (await answer.json()).get("data")

    *found, nobody = await asyncio.gather(
        *[read(person["id"]) for person in people], read(str(UUID(int=7)))
    )

    assert [(status, data["email"]) for status, data in found] == [
        (200, person["email"]) for person in people
    ]
    assert nobody[0] == 404
    noted = await owner.fetch(
        "SELECT subject_id, actor_id FROM audit_inbox WHERE action = 'user.read'"
    )
    assert {str(row["subject_id"]) for row in noted} == {person["id"] for person in people}
    assert {str(row["actor_id"]) for row in noted} == {reader["user"]["id"]}
    assert len(noted) == len(people)
