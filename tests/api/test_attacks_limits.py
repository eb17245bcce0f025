"""What strangers send too much of, or in another form; and what is written down about it."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.api.flows import AUTH, NEW, login, post
from tests.api.test_attacks_input import as_json
from tests.api.test_http import raw
from tests.conftest import Serve
from tests.factories import PASSWORD, bearer, new_user, register
from tests.mailroom import Mailroom, kind_of
from workers.toolbox import Tools

_NOTED = "SELECT action, outcome, subject_id::text, facts ->> 'reason' FROM audit_inbox"
_STRANGERS: dict[str, dict[str, Any]] = {
    "register": new_user(),
    "login": {"email": "a@example.com", "password": "x"},
    "forgot-password": {"email": "a@example.com"},
    "reset-password": {"token": "x", "newPassword": NEW},
    "verify-email": {"token": "x"},
    "resend-verification": {"email": "a@example.com"},
    "confirm-email": {"token": "x"},
    "undo-email-change": {"token": "x"},
}


@pytest.fixture
def mailroom(tools: Tools, tmp_path: Path) -> Mailroom:
    return Mailroom(tools, tmp_path)


@pytest.mark.parametrize("path", ["login", "register"])
async def test_a_browser_whose_name_is_no_text_signs_in(
    api: aiohttp.ClientSession, server_url: str, owner: Any, path: str
) -> None:
    await register(api, email="ada@example.com")
    bodies = {"login": {"email": "ada@example.com", "password": PASSWORD}, "register": new_user()}

    told = await raw(
        server_url,
        as_json(f"{AUTH}/{path}", bodies[path], b"User-Agent: odd \xff\xed\xa0\x80 one"),
    )

    kept = await owner.fetchval("SELECT user_agent FROM sessions ORDER BY id DESC LIMIT 1")
    assert told.startswith(b"HTTP/1.1 20"), told[:80]
    assert kept.startswith("odd ?")


@pytest.mark.parametrize("charset", [b"unicode_escape", b"utf-7", b"utf-16", b"nonsense", b"hex"])
@pytest.mark.parametrize(
    ("page", "form"),
    [
        (b"/forgot-password", b"email=\\ud800"),
        (b"/verify-email", b"token=\\ud800&code=\\ud800"),
        (b"/verify-email", b"token=+2AA-"),
    ],
)
async def test_a_form_in_another_alphabet_is_refused(
    api: aiohttp.ClientSession, server_url: str, page: bytes, form: bytes, charset: bytes
) -> None:
    lines = (
        b"POST " + page + b" HTTP/1.1",
        b"Host: x",
        b"Connection: close",
        b"Content-Type: application/x-www-form-urlencoded; charset=" + charset,
        b"Content-Length: %d" % len(form),
    )

    told = await raw(server_url, b"\r\n".join(lines) + b"\r\n\r\n" + form)

    assert told.startswith(b"HTTP/1.1 415 "), told[:80]


async def test_notices_of_new_devices_do_not_use_up_the_letter_that_lets_somebody_back_in(
    api: aiohttp.ClientSession, mailroom: Mailroom
) -> None:
    address = (await register(api))["user"]["email"]
    for number in range(3):
        agent = {"User-Agent": f"browser {number}"}
        await post(api, "login", headers=agent, email=address, password=PASSWORD)
    before = [kind_of(letter) for letter in await mailroom.deliver()]

    await post(api, "forgot-password", email=address)

    assert before.count("new_device") >= 2
    assert [kind_of(letter) for letter in await mailroom.deliver()] == ["reset"]


async def test_registrations_by_others_do_not_use_up_the_letter_that_lets_somebody_back_in(
    serve: Serve, mailroom: Mailroom
) -> None:
    api = await serve(security_profile="strict", rate_limit_anonymous="off")
    body = new_user(password="rusty kettle over seven hills")
    for _ in range(6):
        await post(api, "register", **body)
    before = [kind_of(letter) for letter in await mailroom.deliver()]

    for _ in range(6):
        await post(api, "forgot-password", email=body["email"])

    assert before == ["welcome", "already_registered", "already_registered"]
    assert [kind_of(letter) for letter in await mailroom.deliver()] == ["reset"] * 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE users SET is_active = false, email_verified = true", "deactivated"),
        ("UPDATE users SET email_verified = false", "unverified"),
    ],
)
async def test_the_right_password_of_somebody_who_may_not_sign_in_is_written_down(
    serve: Serve, owner: Any, change: str, reason: str
) -> None:
    api = await serve(require_verified_email="login")
    await post(api, "register", **new_user(email="ada@example.com"))
    await owner.execute(change)
    await owner.execute("DELETE FROM audit_inbox")

    found = await login(api, "ada@example.com")

    who = await owner.fetchval("SELECT id::text FROM users")
    events = [tuple(row.values()) for row in await owner.fetch(_NOTED)]
    assert found == 403
    assert events == [("session.refused", "denied", who, reason)]


async def test_a_way_back_that_leads_nowhere_is_written_down(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    status, _ = await post(api, "undo-email-change", token="oeu_x")

    events = [tuple(row.values()) for row in await owner.fetch(_NOTED)]
    assert status == 400
    assert events == [("email_change.undo_refused", "failure", None, None)]


@pytest.mark.parametrize("path", _STRANGERS)
async def test_an_account_of_ones_own_buys_no_more_of_what_strangers_call(
    serve: Serve, path: str
) -> None:
    api = await serve(rate_limit_anonymous="4/15m", rate_limit_auth_failures="off")
    who = await register(api)

    found = [(await post(api, path, who, **_STRANGERS[path]))[0] for _ in range(4)]
    elsewhere, _ = await post(api, "logout", who)

    assert found[3] == 429
    assert 429 not in found[:3]
    assert elsewhere == 200  # whoever is signed in is counted by themselves where they must be


async def test_whoever_is_gone_meanwhile_proves_nothing(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    who = await register(api)
    async with api.get(f"{AUTH}/me", headers=bearer(who)):
        pass  # from now on the process remembers who that is
    await owner.execute("UPDATE users SET deleted_at = now()")

    status, _ = await post(api, "step-up", who, password=PASSWORD)

    assert status == 401


@pytest.mark.parametrize(("length", "status"), [(64, 201), (65, 400)])
async def test_the_part_before_the_at_has_64_octets_at_most(
    api: aiohttp.ClientSession, length: int, status: int
) -> None:
    found, _ = await post(api, "register", **new_user(email=f"{'x' * length}@example.com"))

    assert found == status
