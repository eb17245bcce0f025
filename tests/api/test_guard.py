"""Guessing passwords: per address, per account over all addresses, and known devices apart."""

import asyncio
from typing import Any

import aiohttp

from tests.conftest import Serve
from tests.factories import PASSWORD, register

LOGIN = "/api/v1/auth/login"
BEHIND_A_PROXY = {"trusted_proxies": "127.0.0.1", "rate_limit_anonymous": "off"}


async def attempt(
    api: aiohttp.ClientSession, email: str, password: str = "wrong", **headers: str
) -> tuple[int, dict[str, Any]]:
    credentials = {"email": email, "password": password}
    async with api.post(LOGIN, json=credentials, headers=headers) as answer:
        return answer.status, await answer.json()


def via(number: int, agent: str = "guesser") -> dict[str, str]:
    """Return headers of a caller at another address."""
    return {"X-Forwarded-For": f"203.0.113.{number}", "User-Agent": agent}


async def test_an_account_closes_for_strangers_after_five_failures_from_anywhere(
    serve: Serve,
) -> None:
    api = await serve(**BEHIND_A_PROXY)
    await register(api, email="ada@example.com")

    for email in ("ada@example.com", "nobody@example.com"):
        found = [await attempt(api, email, **via(number)) for number in range(6)]

        assert [status for status, _ in found] == [401] * 5 + [429]
        assert found[5][1]["retryAfter"] == 1
        assert found[5][1]["error"]["code"] == "RATE_LIMIT_EXCEEDED"


async def test_the_wait_doubles_and_ends_at_a_minute(serve: Serve, owner: Any) -> None:
    api = await serve(**BEHIND_A_PROXY)
    waits = []

    for number in range(14):
        _, body = await attempt(api, "ada@example.com", **via(number))
        if "retryAfter" in body:
            waits.append(body["retryAfter"])
            await owner.execute("UPDATE sign_in_failures SET open_at = '-infinity'")
            await attempt(api, "ada@example.com", **via(100 + number))

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


async def test_a_hundred_guesses_at_once_from_as_many_addresses_evaluate_at_most_five(
    serve: Serve,
) -> None:
    api = await serve(**BEHIND_A_PROXY)
    await register(api, email="ada@example.com")

    found = await asyncio.gather(
        *(attempt(api, "ada@example.com", **via(number)) for number in range(100))
    )

    evaluated = [status for status, _ in found if status == 401]
    assert len(evaluated) <= 5
    # A machine that is busy with other things may have no time for some: 503, and not looked at.
    assert {status for status, _ in found} - {503} == {401, 429}


async def test_the_owner_gets_in_from_where_they_were_before_while_others_guess(
    serve: Serve,
) -> None:
    api = await serve(**BEHIND_A_PROXY)
    home = via(1, "the owner's browser")
    async with api.post(
        "/api/v1/auth/register",
        json={
            "email": "ada@example.com",
            "password": PASSWORD,
            "firstName": "Ada",
            "lastName": "Lovelace",
        },
        headers=home,
    ) as answer:
        device = (await answer.json())["data"]["deviceToken"]
    for number in range(10, 18):
        await attempt(api, "ada@example.com", **via(number))

    assert (await attempt(api, "ada@example.com", PASSWORD, **via(50)))[0] == 429
    assert (await attempt(api, "ada@example.com", PASSWORD, **home))[0] == 200
    moved = via(51) | {"X-Device-Token": device}
    assert (await attempt(api, "ada@example.com", PASSWORD, **moved))[0] == 200


async def test_a_known_device_is_let_in_behind_an_address_that_others_used_up(
    serve: Serve,
) -> None:
    api = await serve()
    device = (await register(api, email="ada@example.com"))["deviceToken"]
    for number in range(6):
        await attempt(api, f"somebody{number}@example.com")

    assert (await attempt(api, "ada@example.com", PASSWORD))[0] == 429
    known = {"X-Device-Token": device}
    assert (await attempt(api, "ada@example.com", PASSWORD, **known))[0] == 200


async def test_a_known_device_has_a_limit_of_its_own(serve: Serve) -> None:
    api = await serve()
    device = (await register(api, email="ada@example.com"))["deviceToken"]
    known = {"X-Device-Token": device}

    found = [(await attempt(api, "ada@example.com", **known))[0] for _ in range(6)]

    assert found == [401] * 5 + [429]


async def test_a_device_token_of_somebody_else_or_of_nobody_opens_nothing(serve: Serve) -> None:
    api = await serve(**BEHIND_A_PROXY)
    await register(api, email="ada@example.com")
    of_mallory = (await register(api, email="mallory@example.com"))["deviceToken"]
    for number in range(6):
        await attempt(api, "ada@example.com", **via(number))
    head, _, mac = of_mallory.rpartition(".")
    forged = f"{head}.{'A' * len(mac)}"

    for token in (of_mallory, forged, "odv_k1.x.y", "odv_", "\u00e4", of_mallory + "x"):
        headers = via(60) | {"X-Device-Token": token}
        assert (await attempt(api, "ada@example.com", PASSWORD, **headers))[0] == 429, token


async def test_the_count_of_an_account_survives_a_wiped_redis(serve: Serve, parts: Any) -> None:
    api = await serve(**BEHIND_A_PROXY)
    for number in range(5):
        await attempt(api, "ada@example.com", **via(number))

    await parts.redis._client.flushall()

    assert (await attempt(api, "ada@example.com", **via(99)))[0] == 429


async def test_a_right_password_gives_its_count_back(serve: Serve, owner: Any) -> None:
    api = await serve(**BEHIND_A_PROXY)
    await register(api, email="ada@example.com")

    found = [
        (await attempt(api, "ada@example.com", PASSWORD, **via(number, f"browser {number}")))[0]
        for number in range(12)
    ]

    assert found == [200] * 12
    assert await owner.fetchval("SELECT failures FROM sign_in_failures") == 0


async def test_accounts_are_counted_by_a_digest_and_never_by_name(serve: Serve, owner: Any) -> None:
    api = await serve(**BEHIND_A_PROXY)

    await attempt(api, "Ada@Example.com", **via(1))
    await attempt(api, "ada@example.com", **via(2))

    rows = await owner.fetch("SELECT account, failures FROM sign_in_failures")
    assert [row["failures"] for row in rows] == [2]
    assert b"ada" not in rows[0]["account"]


async def test_an_hour_without_failures_is_forgiven(serve: Serve, owner: Any) -> None:
    api = await serve(**BEHIND_A_PROXY)
    for number in range(5):
        await attempt(api, "ada@example.com", **via(number))

    await owner.execute(
        "UPDATE sign_in_failures SET updated_at = now() - interval '1 hour',"
        " open_at = now() - interval '59 minutes'"
    )

    found = [(await attempt(api, "ada@example.com", **via(50 + n)))[0] for n in range(5)]
    assert found == [401] * 5


async def test_the_headers_of_a_refusal_tell_which_limit_it_was(serve: Serve) -> None:
    api = await serve(**BEHIND_A_PROXY)
    credentials = {"email": "ada@example.com", "password": "wrong"}
    for number in range(5):
        await attempt(api, "ada@example.com", **via(number))
    for _ in range(5):
        await attempt(api, "bob@example.com", **via(99))

    async with api.post(LOGIN, json=credentials, headers=via(50)) as answer:
        by_account = answer.headers
    async with api.post(LOGIN, json=credentials, headers=via(99)) as answer:
        by_address = answer.headers

    assert by_account["RateLimit-Policy"] == '"account";q=5;w=900'
    assert by_account["RateLimit"] == '"account";r=0;t=1'
    assert by_account["Retry-After"] == "1"
    assert by_address["RateLimit-Policy"] == '"auth";q=5;w=900'
    assert by_address["X-RateLimit-Remaining"] == "0"
    assert int(by_address["Retry-After"]) > 60
