"""What ended is refused by every web process within a second, and costs no query until then."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from api.auth.presence import Presence
from api.parts import Parts
from ops.metrics import Metrics
from tests.conftest import MakeSettings, Serve
from tests.factories import PASSWORD, bearer, register

ME = "/api/v1/auth/me"
# What is promised, and half as much again for a busy machine.
SECOND = 1.5


async def status(api: aiohttp.ClientSession, who: dict[str, Any]) -> int:
    async with api.get(ME, headers=bearer(who)) as answer:
        await answer.read()
        return answer.status


async def refused_after(api: aiohttp.ClientSession, who: dict[str, Any]) -> float:
    """Ask until refused; return the seconds it took."""
    started = time.monotonic()
    async with asyncio.timeout(5):
        while await status(api, who) == 200:  # noqa: ASYNC110 - asked from outside
            await asyncio.sleep(0.01)
    return time.monotonic() - started


async def _logout(api: aiohttp.ClientSession, who: dict[str, Any], _: Any) -> None:
    async with api.post("/api/v1/auth/logout", headers=bearer(who)) as answer:
        assert answer.status == 200


async def _logout_all(api: aiohttp.ClientSession, who: dict[str, Any], _: Any) -> None:
    async with api.post("/api/v1/auth/logout-all", headers=bearer(who)) as answer:
        assert answer.status == 200


async def _reuse(api: aiohttp.ClientSession, who: dict[str, Any], _: Any) -> None:
    token = who["refreshToken"]
    for _again in range(2):
        async with api.post("/api/v1/auth/refresh", json={"refreshToken": token}) as answer:
            token = (await answer.json())["refreshToken"]
    reused = {"refreshToken": who["refreshToken"]}
    async with api.post("/api/v1/auth/refresh", json=reused) as answer:
        assert answer.status == 401


async def _deactivate(_: aiohttp.ClientSession, __: dict[str, Any], owner: Any) -> None:
    await owner.execute("UPDATE users SET is_active = false")


async def _delete_rows(_: aiohttp.ClientSession, __: dict[str, Any], owner: Any) -> None:
    await owner.execute("DELETE FROM sessions")


@pytest.mark.parametrize("end", [_logout, _logout_all, _reuse, _deactivate, _delete_rows])
async def test_a_session_ended_at_one_process_is_refused_by_another_within_a_second(
    serve: Serve,
    owner: Any,
    end: Callable[[aiohttp.ClientSession, dict[str, Any], Any], Awaitable[None]],
) -> None:
    one, other = await serve(rate_limit_anonymous="off"), await serve(rate_limit_anonymous="off")
    who, stranger = await register(one), await register(one)
    for api in (one, other):
        assert [await status(api, who), await status(api, stranger)] == [200, 200]

    await end(one, who, owner)

    assert await refused_after(other, who) < SECOND
    assert await refused_after(one, who) < SECOND
    if end not in (_deactivate, _delete_rows):
        assert await status(other, stranger) == 200


async def test_the_process_that_ends_a_session_refuses_it_at_once(
    api: aiohttp.ClientSession,
) -> None:
    for _ in range(20):
        who = await register(api)
        assert await status(api, who) == 200

        await _logout(api, who, None)

        assert await status(api, who) == 401


async def test_a_token_seen_before_is_looked_up_once(serve: Serve, owner: Any) -> None:
    api = await serve()
    who = await register(api)
    assert await status(api, who) == 200
    # A trigger would tell of any change; without it only a look-up could notice.
    await owner.execute("ALTER TABLE sessions DISABLE TRIGGER USER")
    try:
        await owner.execute("UPDATE sessions SET ended_at = now()")

        assert await status(api, who) == 200
    finally:
        await owner.execute("ALTER TABLE sessions ENABLE TRIGGER USER")


async def test_what_was_remembered_is_not_believed_when_the_watch_is_late(
    make_settings: MakeSettings, parts: Parts, api: aiohttp.ClientSession, owner: Any
) -> None:
    await register(api)
    session_id = await owner.fetchval("SELECT id FROM sessions")
    presence = Presence(parts.database, Metrics())

    assert presence.known(session_id) is None
    await presence.look(session_id)
    assert presence.known(session_id) is None  # nothing was read yet
    await presence.read()
    assert presence.known(session_id) is None  # too much may have been missed before
    await presence.look(session_id)
    assert presence.known(session_id) is not None
    await asyncio.sleep(SECOND)

    assert presence.known(session_id) is None


async def test_rights_are_those_of_now_and_not_those_of_the_token(serve: Serve, owner: Any) -> None:
    api = await serve(rate_limit_authenticated="1000/1h", rate_limit_premium="5000/1h")
    who = await register(api)

    async def limit() -> str:
        async with api.get(ME, headers=bearer(who)) as answer:
            return answer.headers["X-RateLimit-Limit"]

    assert await limit() == "1000"
    await owner.execute("UPDATE users SET plan = 'premium'")
    await asyncio.sleep(SECOND)

    assert await limit() == "5000"


async def test_a_look_up_under_way_does_not_bring_back_what_was_revoked(
    serve: Serve, owner: Any
) -> None:
    api = await serve(rate_limit_anonymous="off", rate_limit_authenticated="off")
    for _ in range(5):
        who = await register(api)
        stop = asyncio.Event()

        async def ask(token: dict[str, Any], end: asyncio.Event) -> None:
            while not end.is_set():
                await status(api, token)

        askers = [asyncio.create_task(ask(who, stop)) for _ in range(8)]
        await asyncio.sleep(0.02)
        await owner.execute("UPDATE sessions SET ended_at = now()")
        await asyncio.sleep(SECOND)
        stop.set()
        await asyncio.gather(*askers)

        assert await status(api, who) == 401


async def test_a_session_ends_with_its_time_although_it_is_remembered(
    serve: Serve, owner: Any
) -> None:
    api = await serve()
    who = await register(api)
    await owner.execute("UPDATE sessions SET expires_at = now() + interval '700 milliseconds'")
    await owner.execute("DELETE FROM revocations")  # else it is forgotten for that
    await asyncio.sleep(0.5)
    assert await status(api, who) == 200

    await asyncio.sleep(0.4)

    assert await status(api, who) == 401


async def test_a_token_ends_with_its_time_although_it_is_remembered(serve: Serve) -> None:
    api = await serve(access_token_ttl="3s")
    who = await register(api)
    assert await status(api, who) == 200

    assert await refused_after(api, who) < 3 + SECOND


async def test_signing_in_again_is_not_hindered_by_a_revocation(
    api: aiohttp.ClientSession,
) -> None:
    who = await register(api, email="ada@example.com")
    await _logout(api, who, None)
    credentials = {"email": "ada@example.com", "password": PASSWORD}

    async with api.post("/api/v1/auth/login", json=credentials) as answer:
        again = (await answer.json())["data"]

    assert await status(api, again) == 200
