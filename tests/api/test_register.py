"""Registration: the documents' answer, the rules, the races."""

import asyncio
from typing import Any

import aiohttp

from tests.conftest import Serve
from tests.factories import PASSWORD, bearer, new_user, register


async def test_registering_answers_as_the_documents_say(api: aiohttp.ClientSession) -> None:
    body = new_user(email="Grace.Hopper+navy@Example.COM")

    async with api.post("/api/v1/auth/register", json=body) as answer:
        told = await answer.json()

    assert answer.status == 201
    assert told["success"] is True
    assert told["message"] == "User registered successfully"
    user = told["data"]["user"]
    assert user["email"] == "grace.hopper+navy@example.com"
    assert (user["firstName"], user["lastName"], user["role"]) == ("Ada", "Lovelace", "user")
    assert user["emailVerified"] is False
    assert user["createdAt"].endswith("Z")
    assert told["accessToken"] == told["data"]["accessToken"]
    assert told["refreshToken"] == told["data"]["refreshToken"]
    assert told["expiresIn"] == told["data"]["expiresIn"] == 900
    assert set(told["meta"]) == {"requestId", "timestamp", "version"}
    assert "password" not in str(told).lower().replace("passwordhash", "")


async def test_registering_writes_user_audit_event_and_promise_together(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    signed_in = await register(api)

    user_id = signed_in["user"]["id"]
    event = await owner.fetchrow("SELECT * FROM audit_inbox WHERE action = 'user.registered'")
    promise = await owner.fetchrow("SELECT * FROM outbox")
    assert str(event["subject_id"]) == user_id
    assert event["address"] == "127.0.0.1"
    assert promise["name"] == "emails.welcome"
    assert promise["body"] == f'{{"user_id": "{user_id}"}}'
    assert promise["request_id"] == event["request_id"]


async def test_fifty_registrations_of_one_address_at_once_make_one_user(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    body = new_user()

    async def attempt() -> int:
        async with api.post("/api/v1/auth/register", json=body) as answer:
            return answer.status

    statuses = await asyncio.gather(*(attempt() for _ in range(50)))

    assert sorted(set(statuses)) == [201, 409]
    assert statuses.count(201) == 1
    assert await owner.fetchval("SELECT count(*) FROM users") == 1
    assert await owner.fetchval("SELECT count(*) FROM outbox") == 1


async def test_a_known_address_in_any_spelling_is_a_duplicate(api: aiohttp.ClientSession) -> None:
    await register(api, email="ada@example.com")

    for spelling in ("ADA@example.com", "ada@EXAMPLE.com", " ada@example.com "):
        async with api.post("/api/v1/auth/register", json=new_user(email=spelling)) as answer:
            told = await answer.json()
        assert answer.status == 409
        assert told["error"]["code"] == "DUPLICATE_ENTRY"
        assert told["error"]["details"] == [{"field": "email", "message": "Email already exists"}]


async def test_dots_and_plus_make_different_people(api: aiohttp.ClientSession) -> None:
    for email in ("a.da@example.com", "ada@example.com", "ada+x@example.com"):
        await register(api, email=email)


async def test_every_wrong_field_is_named(api: aiohttp.ClientSession, owner: Any) -> None:
    body = {"email": "a@@example.com", "password": "short", "firstName": "A", "isActive": True}

    async with api.post("/api/v1/auth/register", json=body) as answer:
        told = await answer.json()

    assert answer.status == 400
    assert told["error"]["code"] == "VALIDATION_ERROR"
    fields = {detail["field"] for detail in told["error"]["details"]}
    assert fields == {"email", "firstName", "lastName", "isActive"}
    assert await owner.fetchval("SELECT count(*) FROM users") == 0


async def test_weak_passwords_are_refused_with_every_reason(api: aiohttp.ClientSession) -> None:
    weak = {
        "Sh0rt-x": "at least 8 characters",
        "alllowercase-1": "one uppercase letter",
        "ALLUPPERCASE-1": "one lowercase letter",
        "NoNumbers-here": "one number",
        "NoSpecial1234": "one special character",
        "Ada.Long@Example.com1": "must not be your name or e-mail address",
        "x" * 257: "256",
    }
    for password, reason in weak.items():
        body = new_user(password=password, email="ada.long@example.com")
        async with api.post("/api/v1/auth/register", json=body) as answer:
            told = await answer.json()
        assert answer.status == 400, password
        messages = " ".join(detail["message"] for detail in told["error"]["details"])
        assert reason in messages


async def test_passwords_are_normalized_so_that_every_keyboard_gives_the_same(
    api: aiohttp.ClientSession,
) -> None:
    await register(api, email="zoe@example.com", password="Passwo\u0308rd-99")  # o and a diaeresis

    credentials = {"email": "zoe@example.com", "password": "Passw\u00f6rd-99"}
    async with api.post("/api/v1/auth/login", json=credentials) as answer:
        assert answer.status == 200


async def test_addresses_that_are_none_are_refused(api: aiohttp.ClientSession) -> None:
    wrong: list[Any] = [
        "", "ada", "@example.com", "ada@", "ada@localhost", "a b@example.com", "ada@exa mple.com",
        "ada@example.com\r\nBcc: x@y.com", "ada@example.com\x00", ["a@example.com"], {"a": 1}, 7,
        True, None, "ada@" + "x" * 300 + ".com", "ädä@example.com", "<ada@example.com>",
    ]  # fmt: skip
    for email in wrong:
        async with api.post("/api/v1/auth/register", json=new_user(email=email)) as answer:
            assert answer.status == 400, email


async def test_a_full_width_look_alike_domain_is_the_same_domain(
    api: aiohttp.ClientSession,
) -> None:
    await register(api, email="ada@example.com")

    body = new_user(email="ada@\uff45\uff58ample.com")
    async with api.post("/api/v1/auth/register", json=body) as answer:
        assert answer.status == 409


async def test_the_documents_envelope_is_unwrapped(api: aiohttp.ClientSession) -> None:
    wrapped = {"data": new_user(), "meta": {"requestId": "req_1"}}

    async with api.post("/api/v1/auth/register", json=wrapped) as answer:
        assert answer.status == 201
    async with api.post("/api/v1/auth/register", json=wrapped | {"plan": "free"}) as answer:
        assert answer.status == 400  # nothing beside it is passed over


async def test_every_alias_of_the_documents_answers(api: aiohttp.ClientSession) -> None:
    for prefix in ("/auth", "/api/auth", "/api/v1/auth"):
        async with api.post(f"{prefix}/register", json=new_user()) as answer:
            assert answer.status == 201
            token = (await answer.json())["accessToken"]
        headers = {"Authorization": f"Bearer {token}"}
        async with api.get(f"{prefix}/me", headers=headers) as answer:
            assert answer.status == 200


async def test_a_repeated_key_gives_the_same_user_and_session(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    body, headers = new_user(), {"Idempotency-Key": "order-66"}

    async with api.post("/api/v1/auth/register", json=body, headers=headers) as answer:
        first = await answer.json()
    async with api.post("/api/v1/auth/register", json=body, headers=headers) as answer:
        second = await answer.json()

    assert answer.status == 201
    assert second["data"]["user"] == first["data"]["user"]
    assert second["data"]["refreshToken"] == first["data"]["refreshToken"]
    assert await owner.fetchval("SELECT count(*) FROM users") == 1
    assert await owner.fetchval("SELECT count(*) FROM sessions") == 1
    async with api.get("/api/v1/auth/me", headers=bearer(second["data"])) as answer:
        assert answer.status == 200


async def test_the_same_key_with_another_body_is_refused(api: aiohttp.ClientSession) -> None:
    headers = {"Idempotency-Key": "order-67"}
    async with api.post("/api/v1/auth/register", json=new_user(), headers=headers) as answer:
        assert answer.status == 201

    async with api.post("/api/v1/auth/register", json=new_user(), headers=headers) as answer:
        told = await answer.json()

    assert answer.status == 422
    assert told["error"]["code"] == "UNPROCESSABLE_ENTITY"


async def test_twenty_requests_under_one_key_make_one_user(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    body, headers = new_user(), {"Idempotency-Key": "order-68"}

    async def attempt() -> int:
        async with api.post("/api/v1/auth/register", json=body, headers=headers) as answer:
            return answer.status

    statuses = await asyncio.gather(*(attempt() for _ in range(20)))

    assert set(statuses) <= {201, 409}
    assert 201 in statuses
    assert await owner.fetchval("SELECT count(*) FROM users") == 1


async def test_a_failed_request_gives_its_key_back(api: aiohttp.ClientSession) -> None:
    headers = {"Idempotency-Key": "order-69"}
    weak = new_user(password="Weak-but-no-number")
    async with api.post("/api/v1/auth/register", json=weak, headers=headers) as answer:
        assert answer.status == 400

    async with api.post("/api/v1/auth/register", json=new_user(), headers=headers) as answer:
        assert answer.status == 201


async def test_a_claim_left_by_a_dead_process_is_taken_over_after_its_lease(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    body, headers = new_user(), {"Idempotency-Key": "order-70"}
    async with api.post("/api/v1/auth/register", json=body, headers=headers) as answer:
        assert answer.status == 201
    await owner.execute("DELETE FROM users")  # as if the process had died before its commit
    await owner.execute("UPDATE idempotency_keys SET result = NULL")
    async with api.post("/api/v1/auth/register", json=body, headers=headers) as answer:
        assert answer.status == 409
        assert int(answer.headers["Retry-After"]) > 0
    await owner.execute("UPDATE idempotency_keys SET lease_until = now() - interval '1 second'")

    async with api.post("/api/v1/auth/register", json=body, headers=headers) as answer:
        assert answer.status == 201


async def test_results_kept_for_repetition_are_sealed(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    headers = {"Idempotency-Key": "order-71"}
    async with api.post("/api/v1/auth/register", json=new_user(), headers=headers) as answer:
        told = await answer.json()

    row = await owner.fetchrow("SELECT * FROM idempotency_keys")
    kept = b"".join(value for value in row.values() if isinstance(value, bytes))
    session_id = told["data"]["refreshToken"].split(".")[1]
    assert session_id.encode() not in kept
    assert b"order-71" not in kept


async def test_general_limit_tells_and_refuses(serve: Serve) -> None:
    api = await serve(rate_limit_anonymous="3/15m")
    statuses = []
    for _ in range(4):
        async with api.post("/api/v1/auth/register", json={}) as answer:
            statuses.append(answer.status)
            told = await answer.json()

    assert statuses == [400, 400, 400, 429]
    assert told["error"]["code"] == "RATE_LIMIT_EXCEEDED"
    assert told["retryAfter"] == int(answer.headers["Retry-After"]) > 0
    assert answer.headers["X-RateLimit-Limit"] == "3"
    assert answer.headers["X-RateLimit-Remaining"] == "0"
    assert answer.headers["RateLimit-Policy"] == '"anonymous";q=3;w=900'


async def test_passwords_rest_as_argon2id_only(api: aiohttp.ClientSession, owner: Any) -> None:
    await register(api)

    stored = await owner.fetchval("SELECT password_hash FROM users")
    assert stored.startswith("$argon2id$v=19$")
    assert PASSWORD not in stored
