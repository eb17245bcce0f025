"""Refresh and the end: one live leaf whatever races, reuse ends the session, nobody else's."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import aiohttp
import pytest

from tests.conftest import Serve
from tests.factories import PASSWORD, bearer, register

REFRESH = "/api/v1/auth/refresh"

Refreshing = Callable[[str], Awaitable[tuple[int, Any]]]


async def refresh(api: aiohttp.ClientSession, token: str) -> tuple[int, Any]:
    async with api.post(REFRESH, json={"refreshToken": token}) as answer:
        return answer.status, await answer.json()


async def grow_old(owner: Any, seconds: int = 60) -> None:
    """Let the last rotation lie in the past."""
    await owner.execute(
        "UPDATE sessions SET rotated_at = rotated_at - make_interval(secs => $1)", seconds
    )


async def refresh_patiently(api: aiohttp.ClientSession, token: str) -> tuple[int, Any]:
    """Refresh; ask again when a busy machine let the database wait too long, as clients do."""
    while (found := await refresh(api, token))[0] == HTTPStatus.SERVICE_UNAVAILABLE:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    return found


async def test_refreshing_gives_a_new_pair_that_works(api: aiohttp.ClientSession) -> None:
    first = await register(api)

    status, told = await refresh(api, first["refreshToken"])

    assert status == 200
    assert told["accessToken"] == told["data"]["accessToken"] != first["accessToken"]
    assert told["data"]["refreshToken"] != first["refreshToken"]
    assert told["expiresIn"] == 900
    async with api.get("/api/v1/auth/me", headers=bearer(told["data"])) as answer:
        assert answer.status == 200


async def test_fifty_refreshes_at_once_leave_one_live_leaf(serve: Serve, owner: Any) -> None:
    one, other = await serve(rate_limit_anonymous="off"), await serve(rate_limit_anonymous="off")
    token = (await register(one))["refreshToken"]
    for round_ in range(1, 6):
        apis = [one, other] * 25

        found = await asyncio.gather(*(refresh_patiently(api, token) for api in apis))

        assert {status for status, _ in found} == {200}
        leaves = {told["data"]["refreshToken"] for _, told in found}
        assert len(leaves) == 1
        assert await owner.fetchval("SELECT generation FROM sessions") == round_
        token = leaves.pop()


async def test_the_parent_gets_the_live_pair_again_since_its_answer_was_lost(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    first = (await register(api))["refreshToken"]
    _, told = await refresh(api, first)

    status, again = await refresh(api, first)

    assert status == 200
    assert again["data"]["refreshToken"] == told["data"]["refreshToken"]
    assert await owner.fetchval("SELECT ended_at FROM sessions") is None


async def test_a_client_that_keeps_its_first_token_for_ever_stays_signed_in(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    first = (await register(api))["refreshToken"]

    for _ in range(5):
        status, told = await refresh(api, first)
        assert status == 200
        async with api.get("/api/v1/auth/me", headers=bearer(told["data"])) as answer:
            assert answer.status == 200
        await grow_old(owner)


async def test_every_older_ancestor_ends_the_session_and_tells_its_person(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    for ancestor in range(3):
        signed_in = await register(api)
        tokens = [signed_in["refreshToken"]]
        for _ in range(4):
            _, told = await refresh(api, tokens[-1])
            tokens.append(told["data"]["refreshToken"])

        status, body = await refresh(api, tokens[ancestor])

        assert (status, body["error"]["code"]) == (401, "INVALID_TOKEN")
        assert (await refresh(api, tokens[-1]))[0] == 401
        async with api.get("/api/v1/auth/me", headers=bearer(told["data"])) as answer:
            assert answer.status == 401
    reasons = await owner.fetch("SELECT end_reason FROM sessions")
    assert {row["end_reason"] for row in reasons} == {"reuse"}
    promised = "SELECT count(*) FROM outbox WHERE name = 'emails.token_reuse'"
    assert await owner.fetchval(promised) == 3
    noted = "SELECT count(*) FROM audit_inbox WHERE action = 'session.token_reused'"
    assert await owner.fetchval(noted) == 3


async def test_a_late_parent_once_is_forgiven_twice_in_a_row_it_is_a_thief(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    first = (await register(api))["refreshToken"]
    _, told = await refresh(api, first)
    second = told["data"]["refreshToken"]
    await grow_old(owner)
    assert (await refresh(api, first))[0] == 200
    _, told = await refresh(api, second)
    await grow_old(owner)

    status, _ = await refresh(api, second)

    assert status == 401
    assert (await refresh(api, told["data"]["refreshToken"]))[0] == 401


@pytest.mark.parametrize(("seconds", "expected"), [(5, 200), (11, 401)])
async def test_a_parent_is_late_ten_seconds_after_it_was_replaced(
    api: aiohttp.ClientSession, owner: Any, seconds: int, expected: int
) -> None:
    token = (await register(api))["refreshToken"]
    statuses = []

    for _ in range(2):
        _, told = await refresh(api, token)
        await grow_old(owner, seconds)
        statuses.append((await refresh(api, token))[0])
        token = told["data"]["refreshToken"]

    assert statuses == [200, expected]


async def test_what_is_no_refresh_token_of_ours_is_refused(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    signed_in = await register(api)
    good = signed_in["refreshToken"]
    prefix, session, generation, mac, checksum = good.split(".")
    other = (await register(api))["refreshToken"].split(".")
    wrong = {
        "an access token": signed_in["accessToken"],
        "another generation": f"{prefix}.{session}.1.{mac}.{checksum}",
        "another session": f"{prefix}.{other[1]}.{generation}.{mac}.{checksum}",
        "another key": f"ort_k2.{session}.{generation}.{mac}.{checksum}",
        "no checksum": good.rpartition(".")[0],
        "wrong checksum": good[:-1] + ("0" if good[-1] != "0" else "1"),
        "no prefix": good.removeprefix("ort_"),
        "a code": "123456",
        "dots": "ort_....",
        "unicode": "ort_\u00e4.\u00f6.\u00fc.\u00df.x",
    }
    for name, token in wrong.items():
        status, told = await refresh(api, token)
        assert (status, told["error"]["code"]) == (401, "INVALID_TOKEN"), name

    assert await owner.fetchval("SELECT count(*) FROM sessions WHERE ended_at IS NOT NULL") == 0
    assert (await refresh(api, good))[0] == 200


async def test_refreshing_ends_with_the_session_its_time_or_its_person(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    for ending in (
        "UPDATE sessions SET ended_at = now()",
        "UPDATE sessions SET expires_at = now()",
        "UPDATE users SET is_active = false",
        "UPDATE users SET deleted_at = now()",
    ):
        token = (await register(api))["refreshToken"]
        await owner.execute(ending)

        assert (await refresh(api, token))[0] == 401, ending


async def test_no_use_carries_a_session_past_its_absolute_end(serve: Serve, owner: Any) -> None:
    api = await serve(refresh_token_ttl="7d", session_absolute_ttl="8d")
    token = (await register(api))["refreshToken"]
    await owner.execute("UPDATE sessions SET absolute_expires_at = now() + interval '1 hour'")

    assert (await refresh(api, token))[0] == 200

    left = "SELECT expires_at <= absolute_expires_at FROM sessions"
    assert await owner.fetchval(left) is True


async def test_logout_ends_this_session_only_at_once(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    first = await register(api, email="ada@example.com")
    credentials = {"email": "ada@example.com", "password": PASSWORD}
    async with api.post("/api/v1/auth/login", json=credentials) as answer:
        second = (await answer.json())["data"]

    async with api.post("/api/v1/auth/logout", headers=bearer(first)) as answer:
        assert (await answer.json())["message"] == "Logged out successfully"

    async with api.get("/api/v1/auth/me", headers=bearer(first)) as answer:
        assert answer.status == 401
    assert (await refresh(api, first["refreshToken"]))[0] == 401
    async with api.get("/api/v1/auth/me", headers=bearer(second)) as answer:
        assert answer.status == 200
    assert await owner.fetchval("SELECT count(*) FROM audit_inbox WHERE action = 'session.ended'")


async def test_logout_all_ends_every_session_of_the_person_and_of_nobody_else(
    api: aiohttp.ClientSession,
) -> None:
    first = await register(api, email="ada@example.com")
    stranger = await register(api)
    credentials = {"email": "ada@example.com", "password": PASSWORD}
    async with api.post("/api/v1/auth/login", json=credentials) as answer:
        second = (await answer.json())["data"]

    async with api.post("/auth/logout-all", headers=bearer(second)) as answer:
        assert answer.status == 200

    for ended in (first, second):
        assert (await refresh(api, ended["refreshToken"]))[0] == 401
    assert (await refresh(api, stranger["refreshToken"]))[0] == 200


async def test_refreshes_racing_with_a_logout_leave_nothing_alive(
    api: aiohttp.ClientSession,
) -> None:
    signed_in = await register(api)

    async def logout() -> None:
        async with api.post("/api/v1/auth/logout", headers=bearer(signed_in)) as answer:
            await answer.read()

    found = await asyncio.gather(
        *(refresh(api, signed_in["refreshToken"]) for _ in range(10)), logout()
    )

    for item in found:
        if item and item[0] == 200:
            assert (await refresh(api, item[1]["data"]["refreshToken"]))[0] == 401
            async with api.get("/api/v1/auth/me", headers=bearer(item[1]["data"])) as answer:
                assert answer.status == 401


async def test_refreshes_are_counted_per_session_and_not_per_address(serve: Serve) -> None:
    api = await serve(rate_limit_refresh="3/1m", rate_limit_anonymous="3/1m")
    token = (await register(api))["refreshToken"]
    other = (await register(api))["refreshToken"]
    statuses = []
    for _ in range(4):
        status, told = await refresh(api, token)
        statuses.append(status)
        token = told.get("refreshToken", token)

    assert statuses == [200, 200, 200, 429]
    assert told["retryAfter"] > 0
    assert (await refresh(api, other))[0] == 200
