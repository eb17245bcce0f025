"""Rotation: a new key logs nobody out; with a lost one every access token dies, no session."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest

from api.auth.signing import SigningRing
from ops.settings import TokenAlgorithm
from storage.database import Database
from storage.key_rotation import Reason, replace_all, rotate
from tests.api.test_tokens import ask, key_set
from tests.conftest import MakeSettings, Serve
from tests.factories import register
from tests.own_database import OwnDatabase, opened, own_database
from tests.workers.processes import eventually

EDDSA = TokenAlgorithm.EDDSA
HOUR = 3_600
FREE = {"rate_limit_anonymous": "off", "rate_limit_authenticated": "off"}

NewRing = Callable[..., Awaitable[SigningRing]]


@pytest.fixture(scope="module")
async def room(home: Path, make_settings: MakeSettings) -> AsyncIterator[OwnDatabase]:
    """Make a database for these tests."""
    async with own_database(home, make_settings, "keys_rotation") as made:
        yield made


@pytest.fixture
async def database(room: OwnDatabase, make_settings: MakeSettings) -> AsyncIterator[Database]:
    """Open it, without any key."""
    async with opened(room, make_settings) as database:
        yield database


def kid(token: str) -> str:
    """Return which key signed a token."""
    return str(jwt.get_unverified_header(token)["kid"])


async def reload_everywhere(room: OwnDatabase) -> None:
    """Make every web process read its keys, as a lost key does."""
    await room.owner.execute("INSERT INTO revocations (id) VALUES (gen_random_uuid())")


async def test_a_changed_algorithm_is_taken_up_after_an_hour_and_logs_nobody_out(
    serve: Serve, database: Database, room: OwnDatabase
) -> None:
    old = await serve(**room.urls, **FREE)
    before = await register(old)
    new = await serve(**room.urls, **FREE, token_algorithm="RS256")
    assert await ask(new, before["accessToken"]) == (200, None)
    assert (await register(new))["accessToken"].startswith(before["accessToken"].split(".")[0])

    await room.age(HOUR + 5)
    await reload_everywhere(room)

    async def signs() -> bool:
        return kid((await register(new))["accessToken"]) != kid(before["accessToken"])

    await eventually(signs)
    after = (await register(new))["accessToken"]
    jwks = jwt.PyJWKSet.from_dict({"keys": await key_set(new)})
    algorithms = {}
    for token in (before["accessToken"], after):
        key = jwks[kid(token)]
        jwt.decode(token, key, algorithms=[key.algorithm_name], audience="ostiary")
        algorithms[key.algorithm_name] = [await ask(api, token) for api in (old, new)]
    assert algorithms == {"EdDSA": [(200, None)] * 2, "RS256": [(200, None)] * 2}
    async with old.post(
        "/api/v1/auth/refresh", json={"refreshToken": before["refreshToken"]}
    ) as answer:
        assert answer.status == 200


async def test_two_servers_refuse_nobody_while_their_key_is_rotated_under_load(
    serve: Serve, database: Database, room: OwnDatabase
) -> None:
    apis = [await serve(**room.urls, **FREE), await serve(**room.urls, **FREE)]
    people = [await register(apis[number % 2]) for number in range(6)]
    told: list[int] = []
    keys: set[str] = set()
    stop = asyncio.Event()

    async def call(number: int, person: dict[str, Any]) -> None:
        while not stop.is_set():
            told.extend([(await ask(api, person["accessToken"]))[0] for api in apis])
            body = {"refreshToken": person["refreshToken"]}
            async with apis[number % 2].post("/api/v1/auth/refresh", json=body) as answer:
                told.append(answer.status)
                person |= (await answer.json())["data"]
            keys.add(kid(person["accessToken"]))

    calling = [asyncio.create_task(call(*item)) for item in enumerate(people)]
    made = await rotate(database, EDDSA, reason=Reason.COMMAND)
    for step in (HOUR - 30, 60):  # its hour is nearly over, then it is
        await asyncio.sleep(0.3)
        await room.age(step)
        await reload_everywhere(room)

    async def taken_up() -> bool:
        return made.key_id in keys

    await eventually(taken_up)
    await asyncio.sleep(0.5)
    stop.set()
    await asyncio.gather(*calling)

    assert len(keys) == 2
    assert len(told) > 20
    assert set(told) == {200}


async def test_a_lost_key_ends_access_tokens_everywhere_within_a_second_and_no_session(
    serve: Serve, database: Database, room: OwnDatabase
) -> None:
    apis = [await serve(**room.urls, **FREE), await serve(**room.urls, **FREE)]
    person = await register(apis[0])
    for api in apis:
        assert await ask(api, person["accessToken"]) == (200, None)

    stop = asyncio.Event()

    async def keep_asking(api: aiohttp.ClientSession) -> None:
        while not stop.is_set():
            await ask(api, person["accessToken"])

    # A process must not learn the old token anew while it is reading the keys.
    asking = [asyncio.create_task(keep_asking(api)) for api in apis * 4]
    made = await replace_all(database, EDDSA)
    await asyncio.sleep(1)
    stop.set()
    await asyncio.gather(*asking)

    for api in apis:
        assert await ask(api, person["accessToken"]) == (401, "INVALID_TOKEN")
        assert [key["kid"] for key in await key_set(api)] == [made.key_id]
    body = {"refreshToken": person["refreshToken"]}
    async with apis[1].post("/api/v1/auth/refresh", json=body) as answer:
        token = (await answer.json())["data"]["accessToken"]
    assert kid(token) == made.key_id
    for api in apis:
        assert await ask(api, token) == (200, None)
