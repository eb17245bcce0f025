"""Sign-in and who am I: what is told, what is not, what stops."""

import asyncio
from typing import Any

import aiohttp
from argon2 import PasswordHasher

from tests.conftest import Serve
from tests.factories import PASSWORD, bearer, register

WRONG = "Wrong-Horse-9"


async def login(api: aiohttp.ClientSession, email: str, password: str) -> tuple[int, Any]:
    async with api.post(
        "/api/v1/auth/login", json={"email": email, "password": password}
    ) as answer:
        return answer.status, await answer.json()


async def test_the_right_password_gives_a_user_and_tokens(api: aiohttp.ClientSession) -> None:
    registered = await register(api, email="ada@example.com")

    status, told = await login(api, "ADA@example.com", PASSWORD)

    assert status == 200
    assert told["data"]["user"]["id"] == registered["user"]["id"]
    assert told["accessToken"] == told["data"]["accessToken"]
    assert told["refreshToken"].startswith("ort_")
    assert told["refreshToken"] != registered["refreshToken"]
    async with api.get("/api/v1/auth/me", headers=bearer(told["data"])) as answer:
        me = (await answer.json())["data"]
    assert me["email"] == "ada@example.com"
    assert me["lastLoginAt"] is not None


async def test_every_failure_without_the_password_looks_alike(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    for email in ("known@example.com", "off@example.com", "gone@example.com", "none@example.com"):
        await register(api, email=email)
    await owner.execute("UPDATE users SET is_active = false WHERE email = 'off@example.com'")
    await owner.execute("UPDATE users SET deleted_at = now() WHERE email = 'gone@example.com'")
    await owner.execute("UPDATE users SET password_hash = NULL WHERE email = 'none@example.com'")
    told = []
    for email in ("known", "off", "gone", "none"):
        status, body = await login(api, f"{email}@example.com", WRONG)
        told.append((status, body["error"]))
    status, body = await login(api, "unknown@example.com", WRONG)
    told.append((status, body["error"]))

    assert all(item == told[0] for item in told)
    assert told[0][0] == 401
    assert told[0][1]["code"] == "INVALID_CREDENTIALS"


async def test_only_the_right_password_learns_that_the_account_is_deactivated(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    await register(api, email="off@example.com")
    await owner.execute("UPDATE users SET is_active = false")

    status, told = await login(api, "off@example.com", PASSWORD)

    assert status == 403
    assert told["error"]["code"] == "ACCOUNT_DEACTIVATED"
    assert await owner.fetchval("SELECT count(*) FROM sessions") == 1  # that of the registration


async def test_failures_are_audited_with_the_person_they_were_about(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    registered = await register(api, email="ada@example.com")

    await login(api, "ada@example.com", WRONG)
    await login(api, "nobody@example.com", WRONG)

    events = await owner.fetch(
        "SELECT subject_id, outcome FROM audit_inbox WHERE action = 'session.refused' ORDER BY id"
    )
    assert [str(event["subject_id"]) for event in events] == [registered["user"]["id"], "None"]
    assert {event["outcome"] for event in events} == {"failure"}


async def test_the_sixth_failure_of_an_address_waits_whoever_it_is_about(serve: Serve) -> None:
    api = await serve()
    await register(api, email="ada@example.com")
    statuses = [(await login(api, f"n{number}@example.com", WRONG))[0] for number in range(6)]

    status, told = await login(api, "ada@example.com", PASSWORD)

    assert statuses == [401] * 5 + [429]
    assert status == 429
    assert told["retryAfter"] > 0


async def test_a_hundred_guesses_at_once_evaluate_at_most_the_limit(
    serve: Serve, owner: Any
) -> None:
    api = await serve(rate_limit_anonymous="off")
    await register(api, email="ada@example.com")

    found = await asyncio.gather(*(login(api, "ada@example.com", WRONG) for _ in range(100)))

    statuses = [status for status, _ in found]
    assert statuses.count(401) == 5
    assert statuses.count(429) == 95
    refused = "SELECT count(*) FROM audit_inbox WHERE action = 'session.refused'"
    assert await owner.fetchval(refused) == 5


async def test_right_passwords_do_not_count_as_failures(serve: Serve) -> None:
    api = await serve()
    await register(api, email="ada@example.com")

    statuses = [(await login(api, "ada@example.com", PASSWORD))[0] for _ in range(12)]

    assert statuses == [200] * 12


async def test_forwarded_addresses_of_strangers_change_nothing(serve: Serve) -> None:
    api = await serve()
    statuses = []
    for number in range(6):
        body = {"email": "ada@example.com", "password": WRONG}
        headers = {"X-Forwarded-For": f"203.0.113.{number}"}
        async with api.post("/api/v1/auth/login", json=body, headers=headers) as answer:
            statuses.append(answer.status)

    assert statuses == [401] * 5 + [429]


async def test_a_trusted_proxy_is_believed_from_the_right(serve: Serve, owner: Any) -> None:
    api = await serve(trusted_proxies="127.0.0.0/8, 10.0.0.0/8")
    body = {"email": "ada@example.com", "password": WRONG}
    for claimed in ("6.6.6.6, 203.0.113.7, 10.0.0.3", "203.0.113.7"):
        headers = {"X-Forwarded-For": claimed}
        async with api.post("/api/v1/auth/login", json=body, headers=headers) as answer:
            assert answer.status == 401

    seen = await owner.fetch(
        "SELECT DISTINCT address FROM audit_inbox WHERE actor_kind <> 'system'"
    )
    assert [row["address"] for row in seen] == ["203.0.113.7"]


async def test_values_of_other_types_are_refused_by_name(api: aiohttp.ClientSession) -> None:
    for value in (True, [], {}, 1, None, 1.5):
        status, told = await login(api, value, value)  # type: ignore[arg-type]
        assert status == 400
        fields = {detail["field"] for detail in told["error"]["details"]}
        assert fields == {"email", "password"}


async def test_an_older_hash_is_made_anew_at_the_next_sign_in(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    await register(api, email="ada@example.com")
    older = PasswordHasher(time_cost=1, memory_cost=32, parallelism=1).hash(PASSWORD)
    await owner.execute("UPDATE users SET password_hash = $1", older)

    status, _ = await login(api, "ada@example.com", PASSWORD)

    stored = await owner.fetchval("SELECT password_hash FROM users")
    assert status == 200
    assert "m=32" in older
    assert "m=64" in stored
    assert (await login(api, "ada@example.com", PASSWORD))[0] == 200


async def test_without_a_token_nobody_is_anybody(api: aiohttp.ClientSession) -> None:
    async with api.get("/api/v1/auth/me") as answer:
        told = await answer.json()

    assert answer.status == 401
    assert told["error"]["code"] == "UNAUTHORIZED"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_stale_token_keeps_nobody_from_signing_in(api: aiohttp.ClientSession) -> None:
    await register(api, email="ada@example.com")

    body = {"email": "ada@example.com", "password": PASSWORD}
    headers = {"Authorization": "Bearer stale"}
    async with api.post("/api/v1/auth/login", json=body, headers=headers) as answer:
        assert answer.status == 200


async def test_a_token_ends_with_its_session_or_its_person(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    endings = (
        "UPDATE sessions SET ended_at = now()",
        "UPDATE sessions SET epoch = epoch + 1",
        "UPDATE sessions SET expires_at = now()",
        "UPDATE users SET is_active = false",
        "UPDATE users SET deleted_at = now()",
    )
    for ending in endings:
        signed_in = await register(api)
        async with api.get("/api/v1/auth/me", headers=bearer(signed_in)) as answer:
            assert answer.status == 200
        await owner.execute(ending)
        await asyncio.sleep(1.5)  # longer than a process may go on believing what it remembers
        async with api.get("/api/v1/auth/me", headers=bearer(signed_in)) as answer:
            assert answer.status == 401, ending
            assert (await answer.json())["error"]["code"] == "INVALID_TOKEN"
