"""What strangers try at the doors: refunds, spellings, races, tokens of another kind, secrets."""

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from api.parts import Parts
from ops.logging import set_up
from tests.api.flows import AUTH, MOVED, NEW, login, post, proved, somebody, wish
from tests.api.lines import settled
from tests.conftest import MakeSettings, Serve
from tests.factories import PASSWORD, bearer, new_user, register
from tests.mailroom import Mailroom, everything_kept, token_of
from workers.toolbox import Tools

BEHIND_A_PROXY = {"trusted_proxies": "127.0.0.1", "rate_limit_anonymous": "off"}
UNLIMITED = {"rate_limit_anonymous": "off", "rate_limit_auth_failures": "off"}


@pytest.fixture
def mailroom(tools: Tools, tmp_path: Path) -> Mailroom:
    return Mailroom(tools, tmp_path)


@pytest.fixture
def log(make_settings: MakeSettings) -> Iterator[io.StringIO]:
    """Log into memory."""
    output = io.StringIO()
    set_up(make_settings(log_level="debug"), process="test", output=output)
    yield output
    set_up(make_settings(), process="test")


async def guess(
    api: aiohttp.ClientSession, email: str, address: str, path: str = f"{AUTH}/login"
) -> int:
    """Guess a password from an address; return the status."""
    body = {"email": email, "password": "Wrong-Horse-9"}
    headers = {"X-Forwarded-For": address, "User-Agent": "guesser"}
    async with api.post(path, json=body, headers=headers) as answer:
        return answer.status


async def test_signing_in_oneself_gives_no_guess_at_others_back(serve: Serve) -> None:
    api = await serve(**BEHIND_A_PROXY)
    await register(api, email="mine@example.com")
    here = {"X-Forwarded-For": "203.0.113.9"}
    guessed = []

    for number in range(8):
        for _ in range(3):
            await post(api, "login", headers=here, email="mine@example.com", password=PASSWORD)
        guessed.append(await guess(api, f"victim{number}@example.com", "203.0.113.9"))

    assert guessed == [401] * 5 + [429] * 3


async def test_signing_in_oneself_meanwhile_gives_no_guess_at_others_back(serve: Serve) -> None:
    api = await serve(**BEHIND_A_PROXY)
    await register(api, email="mine@example.com")
    here = {"X-Forwarded-For": "203.0.113.9"}
    body: dict[str, Any] = {"email": "mine@example.com", "password": PASSWORD}
    guessed = []

    for turn in range(4):
        victims = [f"victim{turn}.{number}@example.com" for number in range(10)]
        own = (post(api, "login", headers=here, **body) for _ in range(10))
        others = (guess(api, victim, "203.0.113.9") for victim in victims)
        guessed += (await asyncio.gather(*others, *own))[:10]

    assert guessed.count(401) <= 5


async def test_every_alias_of_signing_in_is_one_count(serve: Serve) -> None:
    api = await serve(**BEHIND_A_PROXY)
    doors = ("/auth/login", "/api/auth/login", "/api/v1/auth/login")

    found = [
        await guess(api, f"person{number}@example.com", "203.0.113.9", doors[number % 3])
        for number in range(7)
    ]

    assert found == [401] * 5 + [429] * 2


@pytest.mark.parametrize(
    ("pattern", "sixth"),
    [
        ("2001:db8::{:x}", 429),
        ("2001:db8:0:{:x}::1", 401),
        ("::ffff:203.0.113.9", 429),
        ("[2001:db8::{0:x}]:4{0:03}", 429),
        ("203.0.113.{}", 401),
    ],
)
async def test_whoever_has_a_network_counts_as_one_and_neighbours_do_not(
    serve: Serve, pattern: str, sixth: int
) -> None:
    api = await serve(**BEHIND_A_PROXY)

    found = [
        await guess(api, f"person{number}@example.com", pattern.format(number))
        for number in range(1, 7)
    ]

    assert found == [401] * 5 + [sixth]


async def test_all_spellings_of_an_address_are_one_account_and_plus_is_another(
    serve: Serve,
) -> None:
    api = await serve(**BEHIND_A_PROXY)
    spellings = [
        "ADA@b\u00fccher.example",
        "ada@B\u00dcCHER.example",
        "ada@bu\u0308cher.example",
        " ada@xn--bcher-kva.example ",
        "ada@XN--BCHER-KVA.EXAMPLE",
        "ada@b\uff55\u0308cher\u3002example",
    ]

    found = [
        await guess(api, email, f"203.0.113.{number}") for number, email in enumerate(spellings)
    ]

    assert found == [401] * 5 + [429]
    assert await guess(api, "ada+1@xn--bcher-kva.example", "203.0.113.99") == 401


async def test_twenty_sign_ins_at_once_leave_no_more_sessions_than_allowed(
    serve: Serve, owner: Any
) -> None:
    api = await serve(**UNLIMITED, sessions_per_user="3")
    await register(api, email="ada@example.com")

    found = await asyncio.gather(*(login(api, "ada@example.com") for _ in range(20)))

    live = await owner.fetchval("SELECT count(*) FROM sessions WHERE ended_at IS NULL")
    assert set(found) == {200}
    assert live == 3


async def test_no_session_of_the_old_password_outlives_a_reset(
    serve: Serve, mailroom: Mailroom, owner: Any
) -> None:
    api = await serve(**UNLIMITED)
    _, address = await somebody(api, mailroom)
    await post(api, "forgot-password", email=address)
    token = token_of(await mailroom.one("reset"))

    _, *found = await asyncio.gather(
        post(api, "reset-password", token=token, newPassword=NEW),
        *(login(api, address) for _ in range(15)),
    )

    live = await owner.fetchval("SELECT count(*) FROM sessions WHERE ended_at IS NULL")
    assert set(found) <= {200, 401}
    assert live == 0
    assert await login(api, address) == 401


async def test_no_refresh_carries_another_session_past_a_change_of_password(
    serve: Serve, owner: Any
) -> None:
    api = await serve(**UNLIMITED)
    mine = await register(api, email="ada@example.com")
    body: dict[str, Any] = {"email": "ada@example.com", "password": PASSWORD}
    others = [(await post(api, "login", **body))[1] for _ in range(5)]

    (changed, _), *_ = await asyncio.gather(
        post(api, "change-password", mine, currentPassword=PASSWORD, newPassword=NEW),
        *(post(api, "refresh", refreshToken=other["refreshToken"]) for other in others),
        *(post(api, "refresh", refreshToken=other["refreshToken"]) for other in others),
    )

    live = await owner.fetchval("SELECT count(*) FROM sessions WHERE ended_at IS NULL")
    assert changed == 200
    assert live == 1


async def test_a_token_of_one_kind_is_worth_nothing_where_another_is_asked_for(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    who = await proved(api, mailroom)
    await wish(api, who)
    change = token_of(await mailroom.one("confirm_change"))
    await post(api, "forgot-password", email=who["user"]["email"])
    reset = token_of(await mailroom.one("reset"))
    strangers = [who["refreshToken"], who["deviceToken"], who["accessToken"]]
    before = await owner.fetchrow("SELECT email, password_hash FROM users")

    found = set()
    for token in [change, *strangers]:
        found.add((await post(api, "reset-password", token=token[:200], newPassword=NEW))[0])
    for token in [reset, *strangers]:
        for path in ("verify-email", "confirm-email", "undo-email-change"):
            found.add((await post(api, path, token=token[:200]))[0])
    for token in (change, reset, who["refreshToken"], who["deviceToken"]):
        async with api.get(f"{AUTH}/me", headers=bearer({"accessToken": token})) as answer:
            assert answer.status == 401

    assert found == {400}
    assert await owner.fetchrow("SELECT email, password_hash FROM users") == before


async def test_no_flow_brings_a_deactivated_person_back(
    serve: Serve, mailroom: Mailroom, owner: Any
) -> None:
    api = await serve(**UNLIMITED)
    who = await proved(api, mailroom)
    address = who["user"]["email"]
    await wish(api, who)
    change = token_of(await mailroom.one("confirm_change"))
    await post(api, "forgot-password", email=address)
    reset = token_of(await mailroom.one("reset"))

    await owner.execute("UPDATE users SET is_active = false")
    await asyncio.sleep(1)

    assert (await post(api, "reset-password", token=reset, newPassword=NEW))[0] == 400
    assert (await post(api, "confirm-email", token=change))[0] == 400
    assert (await post(api, "refresh", refreshToken=who["refreshToken"]))[0] == 401
    assert (await post(api, "step-up", who, password=PASSWORD))[0] == 401
    assert (await wish(api, who, "other@example.com"))[0] == 401
    assert await login(api, address) == 403
    row = await owner.fetchrow("SELECT is_active, email FROM users")
    assert tuple(row.values()) == (False, address)


async def test_secrets_of_a_whole_journey_are_in_no_row_and_no_line_of_the_log(
    api: aiohttp.ClientSession,
    mailroom: Mailroom,
    owner: Any,
    parts: Parts,
    log: io.StringIO,
) -> None:
    address, second, third = "canary@example.com", "Canary-Fresh-77", "Canary-Third-33"
    secrets = ["Canary-Horse-91", "Canary-Wrong-13", second, third]
    body = new_user(email=address, password=secrets[0])
    _, told = await post(api, "register", headers={"Idempotency-Key": "canary-key-1"}, **body)
    who = told["data"]
    secrets += [who["accessToken"], who["refreshToken"], who["deviceToken"], "canary-key-1"]
    secrets.append(token_of(await mailroom.one("welcome")))
    await post(api, "verify-email", token=secrets[-1])
    _, told = await post(api, "refresh", refreshToken=who["refreshToken"])
    secrets += [told["accessToken"], told["refreshToken"]]
    await login(api, address, secrets[1])
    await post(api, "change-password", who, currentPassword=secrets[0], newPassword=second)
    await post(api, "forgot-password", email=address)
    secrets.append(token_of(await mailroom.one("reset")))
    for path in ("/reset-password", f"/nowhere/{address}/{secrets[-1]}"):
        await api.get(path, params={"token": secrets[-1], "email": address})
    await post(api, "reset-password", token=secrets[-1], newPassword=third)
    _, told = await post(api, "login", email=address, password=third)
    await post(api, "change-email", told["data"], newEmail=MOVED)
    secrets.append(token_of(await mailroom.one("confirm_change")))
    await post(api, "confirm-email", token=secrets[-1])
    secrets.append(token_of(await mailroom.one("email_changed")))

    kept = await everything_kept(owner, parts.redis._client)
    await settled()
    logged = log.getvalue()

    assert "confirm-email" in logged
    assert [secret for secret in secrets if secret in kept] == []
    assert [secret for secret in [*secrets, address] if secret in logged] == []
