"""One's own account: step-up for what is sensitive, leaving, and what a verified address is for."""

from typing import Any

import aiohttp
import pytest
from aiohttp import web

from api.access import SignedIn
from api.app import make_app
from api.envelope import Answer
from api.parts import open_parts
from api.routing import Routes
from tests.conftest import MakeSettings, Serve
from tests.factories import PASSWORD, bearer, new_user, register

ME = "/api/v1/auth/me"
STEP_UP = "/api/v1/auth/step-up"


async def ask(
    api: aiohttp.ClientSession, method: str, path: str, who: dict[str, Any], **body: Any
) -> tuple[int, dict[str, Any]]:
    sent = {"json": body} if body else {}
    async with api.request(method, path, headers=bearer(who), **sent) as answer:
        return answer.status, await answer.json()


async def sign_in_was_long_ago(owner: Any) -> None:
    await owner.execute("UPDATE sessions SET authenticated_at = now() - interval '1 hour'")


async def test_leaving_ends_every_session_and_frees_the_address(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    who = await register(api, email="ada@example.com")
    credentials = {"email": "ada@example.com", "password": PASSWORD}
    async with api.post("/api/v1/auth/login", json=credentials) as answer:
        second = (await answer.json())["data"]

    status, body = await ask(api, "DELETE", ME, who)

    assert (status, body["message"]) == (200, "Account deleted")
    for ended in (who, second):
        assert (await ask(api, "GET", ME, ended))[0] == 401
    async with api.post("/api/v1/auth/login", json=credentials) as answer:
        assert answer.status == 401
        assert (await answer.json())["error"]["code"] == "INVALID_CREDENTIALS"
    assert await owner.fetchval("SELECT deleted_at IS NOT NULL FROM users")
    assert await owner.fetchval("SELECT count(*) FROM devices") == 0
    letter = "SELECT count(*) FROM outbox WHERE name = 'emails.account_deleted'"
    assert await owner.fetchval(letter) == 1
    noted = "SELECT count(*) FROM audit_inbox WHERE action = 'user.deleted'"
    assert await owner.fetchval(noted) == 1
    await register(api, email="ada@example.com")


async def test_what_is_sensitive_needs_a_recent_sign_in(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    who = await register(api)
    await sign_in_was_long_ago(owner)

    status, body = await ask(api, "DELETE", ME, who)

    assert (status, body["error"]["code"]) == (403, "STEP_UP_REQUIRED")
    assert await owner.fetchval("SELECT deleted_at FROM users") is None
    assert (await ask(api, "GET", ME, who))[0] == 200


async def test_the_password_makes_a_sign_in_recent_again(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    who = await register(api)
    await sign_in_was_long_ago(owner)

    assert (await ask(api, "POST", STEP_UP, who, password=PASSWORD))[0] == 200

    assert (await ask(api, "DELETE", ME, who))[0] == 200
    noted = "SELECT subject_id::text FROM audit_inbox WHERE action = 'session.stepped_up'"
    assert await owner.fetchval(noted) == who["user"]["id"]


async def test_a_wrong_password_makes_nothing_recent_and_does_not_sign_out(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    who = await register(api)
    await sign_in_was_long_ago(owner)

    status, body = await ask(api, "POST", STEP_UP, who, password="wrong")

    assert (status, body["error"]["details"][0]["field"]) == (400, "password")
    assert (await ask(api, "DELETE", ME, who))[0] == 403
    outcome = "SELECT outcome FROM audit_inbox WHERE action = 'password.refused'"
    assert await owner.fetchval(outcome) == "failure"


async def test_a_stolen_token_cannot_guess_the_password_by_stepping_up(serve: Serve) -> None:
    api = await serve()
    who = await register(api)

    found = [(await ask(api, "POST", STEP_UP, who, password=f"wrong {n}"))[0] for n in range(6)]

    assert found == [400] * 5 + [429]


async def test_a_step_up_at_one_process_holds_at_every_other_at_once(
    serve: Serve, owner: Any
) -> None:
    one, other = await serve(), await serve()
    who = await register(one)
    await sign_in_was_long_ago(owner)
    assert (await ask(other, "GET", ME, who))[0] == 200

    await ask(one, "POST", STEP_UP, who, password=PASSWORD)

    assert (await ask(other, "DELETE", ME, who))[0] == 200


async def test_the_last_administrator_cannot_leave(api: aiohttp.ClientSession, owner: Any) -> None:
    who, second = await register(api), await register(api)
    make_admin = (
        "INSERT INTO user_roles (user_id, role_id) SELECT $1, id FROM roles WHERE name = 'admin'"
    )
    await owner.execute(make_admin, who["user"]["id"])

    status, body = await ask(api, "DELETE", ME, who)

    assert (status, body["error"]["code"]) == (409, "CONFLICT")
    assert (await ask(api, "GET", ME, who))[0] == 200
    await owner.execute(make_admin, second["user"]["id"])
    assert (await ask(api, "DELETE", ME, who))[0] == 200


@pytest.mark.parametrize(("setting", "expected"), [("sensitive", 403), ("off", 200)])
async def test_an_endpoint_can_ask_for_a_verified_address(
    make_settings: MakeSettings, clean: None, owner: Any, setting: str, expected: int
) -> None:
    routes = Routes("/api/v1/tried", tag="Tried")

    @routes.add("GET", "", access=SignedIn(verified=True))
    async def tried(_: web.Request) -> Answer:
        """Be tried."""
        return Answer(message="yes")

    settings = make_settings(require_verified_email=setting)
    async with open_parts(settings, name="test") as parts:
        app = await make_app(parts, also=(routes,))
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession(url) as api:
            who = await register(api)

            status, body = await ask(api, "GET", "/api/v1/tried", who)
            await owner.execute("UPDATE users SET email_verified = true")
            verified, _ = await ask(api, "GET", "/api/v1/tried", who)
        await runner.cleanup()

    assert status == expected
    assert verified == 200
    if expected == 403:
        assert body["error"]["code"] == "EMAIL_NOT_VERIFIED"


async def test_a_verified_address_can_be_needed_to_sign_in(serve: Serve, owner: Any) -> None:
    api = await serve(require_verified_email="login")
    async with api.post("/api/v1/auth/register", json=new_user(email="a@example.com")) as answer:
        assert answer.status == 202
        assert "data" not in await answer.json()
    credentials = {"email": "a@example.com", "password": PASSWORD}

    async with api.post("/api/v1/auth/login", json=credentials) as answer:
        assert answer.status == 403
        assert (await answer.json())["error"]["code"] == "EMAIL_NOT_VERIFIED"
    async with api.post("/api/v1/auth/login", json=credentials | {"password": "x"}) as answer:
        assert answer.status == 401
    await owner.execute("UPDATE users SET email_verified = true")

    async with api.post("/api/v1/auth/login", json=credentials) as answer:
        assert answer.status == 200
