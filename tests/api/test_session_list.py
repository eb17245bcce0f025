"""One's own sessions: seen with device and place, ended one by one, limited in number."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import aiohttp

from tests.conftest import Serve
from tests.factories import PASSWORD, bearer, register

SESSIONS = "/api/v1/auth/sessions"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


async def login(api: aiohttp.ClientSession, email: str, **headers: str) -> dict[str, Any]:
    credentials = {"email": email, "password": PASSWORD}
    async with api.post("/api/v1/auth/login", json=credentials, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return dict((await answer.json())["data"])


async def sessions_of(api: aiohttp.ClientSession, who: dict[str, Any]) -> list[dict[str, Any]]:
    async with api.get(SESSIONS, headers=bearer(who)) as answer:
        assert answer.status == 200
        return list((await answer.json())["data"])


async def is_signed_in(api: aiohttp.ClientSession, who: dict[str, Any]) -> bool:
    async with api.get("/api/v1/auth/me", headers=bearer(who)) as answer:
        return answer.status == 200


async def test_sessions_are_listed_with_device_and_place_and_which_one_asks(
    api: aiohttp.ClientSession,
) -> None:
    first = await register(api, email="ada@example.com")
    second = await login(api, "ada@example.com", **{"User-Agent": FIREFOX})
    await register(api)

    listed = await sessions_of(api, second)

    assert [item["current"] for item in listed] == [True, False]
    assert listed[0]["device"] == "Firefox on Linux"
    assert {item["addressPrefix"] for item in listed} == {"127.0.0.0/24"}
    assert set(listed[0]) == {
        "id", "device", "addressPrefix", "createdAt", "lastUsedAt", "expiresAt", "current",
    }  # fmt: skip
    assert [item["current"] for item in await sessions_of(api, first)] == [False, True]


async def test_of_an_address_no_more_is_shown_than_a_place(serve: Serve) -> None:
    api = await serve(trusted_proxies="127.0.0.1")
    ada = await register(api, email="ada@example.com")
    for address in ("203.0.113.7", "2001:db8:1:2:3:4:5:6"):
        await login(api, "ada@example.com", **{"X-Forwarded-For": address})

    shown = {item["addressPrefix"] for item in await sessions_of(api, ada)}

    assert shown == {"127.0.0.0/24", "203.0.113.0/24", "2001:db8:1::/48"}


async def test_a_session_lives_no_longer_than_its_absolute_end_if_it_is_never_used(
    serve: Serve,
) -> None:
    api = await serve(refresh_token_ttl="7d", session_absolute_ttl="1h")

    (session,) = await sessions_of(api, await register(api))

    begun, ends = (datetime.fromisoformat(session[name]) for name in ("createdAt", "expiresAt"))
    assert timedelta(minutes=59) < ends - begun <= timedelta(hours=1)


async def test_one_session_is_ended_by_its_id(api: aiohttp.ClientSession, owner: Any) -> None:
    first = await register(api, email="ada@example.com")
    second = await login(api, "ada@example.com")
    other = next(item for item in await sessions_of(api, second) if not item["current"])

    async with api.delete(f"{SESSIONS}/{other['id']}", headers=bearer(second)) as answer:
        assert answer.status == 200

    assert not await is_signed_in(api, first)
    assert await is_signed_in(api, second)
    reason = "SELECT end_reason FROM sessions WHERE ended_at IS NOT NULL"
    assert await owner.fetchval(reason) == "ended_by_owner"


async def test_a_strangers_session_is_like_one_that_never_was(api: aiohttp.ClientSession) -> None:
    ada, bob = await register(api), await register(api)
    of_bob = (await sessions_of(api, bob))[0]["id"]
    told = []

    for session_id in (of_bob, str(uuid4()), "x", "..%2f"):
        async with api.delete(f"{SESSIONS}/{session_id}", headers=bearer(ada)) as answer:
            told.append((answer.status, (await answer.json())["error"]))

    assert {status for status, _ in told} == {404}
    assert len({error["message"] for _, error in told}) == 1
    assert await is_signed_in(api, bob)


async def test_all_others_end_and_this_one_goes_on(api: aiohttp.ClientSession) -> None:
    first = await register(api, email="ada@example.com")
    stranger = await register(api)
    second, third = [await login(api, "ada@example.com") for _ in range(2)]

    async with api.delete(SESSIONS, headers=bearer(second)) as answer:
        assert (await answer.json())["message"] == "Ended 2 other sessions"

    assert [await is_signed_in(api, who) for who in (first, second, third, stranger)] == [
        False,
        True,
        False,
        True,
    ]


async def test_one_session_too_many_ends_the_one_unused_for_longest(
    serve: Serve, owner: Any
) -> None:
    api = await serve(sessions_per_user="3")
    first = await register(api, email="ada@example.com")
    later = [await login(api, "ada@example.com") for _ in range(3)]

    assert not await is_signed_in(api, first)
    assert [await is_signed_in(api, who) for who in later] == [True] * 3
    assert await owner.fetchval("SELECT count(*) FROM sessions WHERE end_reason = 'limit'") == 1


async def test_only_a_device_not_seen_before_is_told_of(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    letters = "SELECT count(*) FROM outbox WHERE name = 'emails.new_device'"
    await register(api, email="ada@example.com")
    await login(api, "ada@example.com")
    assert await owner.fetchval(letters) == 0

    new = await login(api, "ada@example.com", **{"User-Agent": FIREFOX})

    assert await owner.fetchval(letters) == 1
    moved = {"User-Agent": f"{FIREFOX} updated", "X-Device-Token": new["deviceToken"]}
    await login(api, "ada@example.com", **moved)
    assert await owner.fetchval(letters) == 1
