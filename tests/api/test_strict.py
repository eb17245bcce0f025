"""SECURITY_PROFILE=strict: registration tells strangers nothing, passwords follow NIST."""

import asyncio
from typing import Any

import aiohttp

from tests.api.test_sessions import grow_old, refresh
from tests.conftest import Serve
from tests.factories import new_user

LONG = "rusty kettle over seven hills"
REGISTER = "/api/v1/auth/register"


async def sign_up(api: aiohttp.ClientSession, **changes: Any) -> tuple[int, dict[str, Any], Any]:
    async with api.post(REGISTER, json=new_user(password=LONG, **changes)) as answer:
        return answer.status, await answer.json(), answer.headers


async def test_a_new_and_a_known_address_get_the_same_answer(serve: Serve, owner: Any) -> None:
    api = await serve(security_profile="strict")

    new = await sign_up(api, email="ada@example.com")
    known = await sign_up(api, email="ADA@example.com", firstName="Mallory")

    assert new[0] == known[0] == 202
    for _, body, _headers in (new, known):
        body.pop("meta")
    assert new[1] == known[1]
    assert "data" not in new[1]
    differing = {"X-Request-ID", "Date", "X-RateLimit-Remaining", "RateLimit", "X-RateLimit-Reset"}
    assert {name: value for name, value in new[2].items() if name not in differing} == {
        name: value for name, value in known[2].items() if name not in differing
    }
    assert await owner.fetchval("SELECT first_name FROM users") == "Ada"
    letters = await owner.fetch("SELECT name FROM outbox ORDER BY id")
    assert [row["name"] for row in letters] == ["emails.welcome", "emails.already_registered"]
    assert await owner.fetchval("SELECT count(*) FROM sessions") == 0


async def test_fifty_registrations_of_one_address_make_one_person(serve: Serve, owner: Any) -> None:
    api = await serve(security_profile="strict", rate_limit_anonymous="off")

    found = await asyncio.gather(*(sign_up(api, email="ada@example.com") for _ in range(50)))

    assert {status for status, _, _ in found} == {202}
    assert await owner.fetchval("SELECT count(*) FROM users") == 1


async def test_a_repeated_key_gets_the_same_neutral_answer_and_no_second_letter(
    serve: Serve, owner: Any
) -> None:
    api = await serve(security_profile="strict")
    body, key = new_user(password=LONG), {"Idempotency-Key": "one"}

    for _ in range(2):
        async with api.post(REGISTER, json=body, headers=key) as answer:
            assert answer.status == 202

    assert await owner.fetchval("SELECT count(*) FROM outbox") == 1


async def test_nobody_signs_in_before_the_address_is_verified(serve: Serve, owner: Any) -> None:
    api = await serve(security_profile="strict")
    await sign_up(api, email="ada@example.com")
    credentials = {"email": "ada@example.com", "password": LONG}

    async with api.post("/api/v1/auth/login", json=credentials) as answer:
        assert answer.status == 403
    await owner.execute("UPDATE users SET email_verified = true")
    async with api.post("/api/v1/auth/login", json=credentials) as answer:
        assert answer.status == 200


async def test_fourteen_characters_are_too_few_and_no_mixture_is_asked_for(serve: Serve) -> None:
    api = await serve(security_profile="strict")

    async with api.post(REGISTER, json=new_user(password="Correct-Horse9")) as answer:
        details = (await answer.json())["error"]["details"]

    assert answer.status == 400
    assert [item["field"] for item in details] == ["password"]
    assert "15" in details[0]["message"]


async def test_a_late_parent_is_reuse_at_once(serve: Serve, owner: Any) -> None:
    api = await serve(security_profile="strict")
    await sign_up(api, email="ada@example.com")
    await owner.execute("UPDATE users SET email_verified = true")
    credentials = {"email": "ada@example.com", "password": LONG}
    async with api.post("/api/v1/auth/login", json=credentials) as answer:
        first = (await answer.json())["data"]["refreshToken"]
    assert (await refresh(api, first))[0] == 200
    assert (await refresh(api, first))[0] == 200
    await grow_old(owner)

    assert (await refresh(api, first))[0] == 401

    assert await owner.fetchval("SELECT end_reason FROM sessions") == "reuse"
