"""Small print of callers: whom a limit counts, what stale tokens and repeated requests get."""

import json
from base64 import urlsafe_b64decode
from typing import Any

import aiohttp
import pytest

from tests.api.flows import AUTH, NEW, login, post
from tests.api.test_cookies import CHOSEN, COOKIE, SETTINGS, cookies_of
from tests.api.test_guard import BEHIND_A_PROXY, attempt, via
from tests.conftest import Serve
from tests.factories import PASSWORD, bearer, new_user, register

_HOW = "WWW-Authenticate"


async def me(api: aiohttp.ClientSession, who: dict[str, Any]) -> int:
    async with api.get(f"{AUTH}/me", headers=bearer(who)) as answer:
        return answer.status


async def test_signed_in_callers_behind_one_address_are_counted_each_alone(serve: Serve) -> None:
    api = await serve(rate_limit_authenticated="2/1h")
    ada, bob = await register(api), await register(api)

    found = [await me(api, ada) for _ in range(3)]

    assert found == [200, 200, 429]
    assert await me(api, bob) == 200


async def test_strangers_of_one_ipv6_network_are_counted_together(serve: Serve) -> None:
    api = await serve(trusted_proxies="127.0.0.1", rate_limit_anonymous="2/15m")
    asked = ["2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1:f::3", "2001:db8:0:2::1"]
    found = []

    for address in asked:
        body = {"email": "nobody@example.com", "password": "x"}
        sent = {"X-Forwarded-For": address}
        async with api.post(f"{AUTH}/login", json=body, headers=sent) as answer:
            found.append(answer.status)

    assert found == [401, 401, 429, 401]


async def test_who_is_signed_in_can_log_out_of_an_address_that_strangers_used_up(
    serve: Serve,
) -> None:
    api = await serve(rate_limit_anonymous="2/15m")
    who = await register(api)
    assert [await login(api, f"{n}@example.com") for n in range(2)] == [401, 429]

    status, _ = await post(api, "logout", who)

    assert status == 200


async def test_a_token_that_ended_keeps_nobody_from_signing_in(api: aiohttp.ClientSession) -> None:
    who = await register(api, email="ada@example.com")
    await post(api, "logout", who)

    status, _ = await post(api, "login", who, email="ada@example.com", password=PASSWORD)

    assert status == 200


@pytest.mark.parametrize("ending", ["ended_at = now()", "expires_at = now()"])
async def test_a_repeated_registration_does_not_bring_back_a_session_that_is_over(
    api: aiohttp.ClientSession, owner: Any, ending: str
) -> None:
    body, key = new_user(), {"Idempotency-Key": "order-1001"}
    assert (await post(api, "register", headers=key, **body))[0] == 201
    await owner.execute(f"UPDATE sessions SET {ending}")  # noqa: S608

    status, told = await post(api, "register", headers=key, **body)

    assert (status, told["error"]["code"]) == (401, "INVALID_TOKEN")


async def test_a_refreshed_token_says_when_its_person_gave_the_password(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    who = await register(api)
    await owner.execute("UPDATE sessions SET authenticated_at = now() - interval '1 hour'")

    _, told = await post(api, "refresh", refreshToken=who["refreshToken"])

    part = told["accessToken"].split(".")[1]
    claims = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    proved = "SELECT extract(epoch FROM authenticated_at)::bigint FROM sessions"
    assert abs(claims["auth_time"] - await owner.fetchval(proved)) <= 1


@pytest.mark.parametrize(("method", "path"), [("POST", "logout-all"), ("DELETE", "me")])
async def test_what_ends_every_session_takes_the_cookie_back_too(
    serve: Serve, method: str, path: str
) -> None:
    api = await serve(**SETTINGS)
    who = await register(api)

    sent = CHOSEN | bearer(who)
    async with api.request(method, f"{AUTH}/{path}", headers=sent) as answer:
        assert answer.status == 200
        assert cookies_of(answer)[COOKIE]["max-age"] == "0"


async def test_letters_on_their_way_are_worth_nothing_once_their_person_has_left(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    who = await register(api)
    await owner.execute("""
        INSERT INTO password_reset_tokens
            (id, user_id, email, credential_version, token_mac, code_mac, expires_at)
        SELECT id, id, email, credential_version, '', '', now() + interval '1 hour' FROM users
    """)

    async with api.delete(f"{AUTH}/me", headers=bearer(who)) as answer:
        assert answer.status == 200

    assert await owner.fetchval("SELECT spent_at IS NOT NULL FROM password_reset_tokens")


async def test_what_a_closed_account_refuses_is_not_counted_against_the_address(
    serve: Serve, owner: Any
) -> None:
    api = await serve(**BEHIND_A_PROXY)
    for number in range(6):
        await attempt(api, "ada@example.com", **via(number))
    await owner.execute("UPDATE sign_in_failures SET open_at = now() + interval '1 minute'")

    found = [(await attempt(api, "ada@example.com", **via(90)))[0] for _ in range(6)]

    assert found == [429] * 6
    assert (await attempt(api, "bob@example.com", **via(90)))[0] == 401


async def test_guessing_codes_keeps_nobody_from_signing_in(serve: Serve) -> None:
    api = await serve(**BEHIND_A_PROXY)
    await register(api, email="ada@example.com")
    guess: dict[str, Any] = {"email": "ada@example.com", "code": "000000", "newPassword": NEW}

    found = [
        (await post(api, "reset-password", headers=via(number), **guess))[0] for number in range(7)
    ]

    assert 429 in found
    assert (await attempt(api, "ada@example.com", PASSWORD, **via(80)))[0] == 200


async def test_refusals_repetitions_and_surplus_are_written_down_for_what_they_are(
    serve: Serve, owner: Any
) -> None:
    api, strict = await serve(sessions_per_user="1"), await serve(security_profile="strict")
    await register(api, email="ada@example.com")
    long = new_user(email="ada@example.com", password="Correct-Horse-9-Battery")

    assert await login(api, "ada@example.com") == 200
    assert (await post(strict, "register", **long))[0] == 202
    await owner.execute("UPDATE users SET is_active = false")
    assert await login(api, "ada@example.com") == 403

    noted = await owner.fetch("SELECT action, outcome FROM audit_inbox")
    assert {tuple(row) for row in noted} >= {
        ("session.surplus_ended", "success"),
        ("user.registration_repeated", "success"),
        ("session.refused", "denied"),
    }


@pytest.mark.parametrize("kind", ["application/json", "application/problem+json"])
async def test_every_401_says_how_to_prove_who_one_is(
    api: aiohttp.ClientSession, kind: str
) -> None:
    body = {"email": "nobody@example.com", "password": "x"}
    found = []

    for method, path, token in (
        ("GET", "me", ""),
        ("GET", "me", "Bearer x"),
        ("POST", "login", ""),
    ):
        sent = {"Accept": kind, "Authorization": token}
        async with api.request(method, f"{AUTH}/{path}", json=body, headers=sent) as answer:
            told = await answer.json(content_type=kind)
            found.append((told.get("code") or told["error"]["code"], answer.headers[_HOW]))

    codes = ("UNAUTHORIZED", "INVALID_TOKEN", "INVALID_CREDENTIALS")
    assert found == [(code, 'Bearer realm="ostiary"') for code in codes]


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
async def test_the_scheme_of_a_token_is_good_in_any_case(
    api: aiohttp.ClientSession, scheme: str
) -> None:
    who = await register(api)
    sent = {"Authorization": f"{scheme} {who['accessToken']}"}

    async with api.get(f"{AUTH}/me", headers=sent) as answer:
        assert answer.status == 200
