"""Rules of letters that no journey shows: how long they are good, how many go out, what ends."""

import asyncio
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from storage.jobs import SendAlreadyRegistered, SendReset, SendVerification
from tests.api.flows import MOVED, NEW, login, moved, post, proved, somebody, via, wish
from tests.conftest import MakeSettings, Serve
from tests.factories import PASSWORD, SECRET_KEYS, register
from tests.mailroom import Mailroom, code_of, text_of, token_of
from workers.toolbox import Tools

_LATER = "UPDATE letters SET created_at = created_at - interval '61 minutes' WHERE state = $1"
_LIVE = """
SELECT (SELECT count(*) FROM password_reset_tokens WHERE spent_at IS NULL)
    + (SELECT count(*) FROM email_changes WHERE spent_at IS NULL)
"""


@pytest.fixture
def mailroom(tools: Tools, tmp_path: Path) -> Mailroom:
    return Mailroom(tools, tmp_path)


async def promised(
    tools: Tools, kind: type[SendReset | SendAlreadyRegistered | SendVerification], who: Any
) -> None:
    async with tools.database.transaction() as storage:
        await storage.outbox.put(kind(UUID(who["user"]["id"])))


@pytest.mark.parametrize("kind", [SendAlreadyRegistered, SendReset])
async def test_letters_that_strangers_cause_are_counted_for_a_proved_address_too(
    api: aiohttp.ClientSession,
    tools: Tools,
    mailroom: Mailroom,
    owner: Any,
    kind: type[SendReset | SendAlreadyRegistered],
) -> None:
    mine = await proved(api, mailroom)
    await owner.execute("DELETE FROM letters")
    for _ in range(5):
        await promised(tools, kind, mine)

    assert len(await mailroom.deliver()) == 3


async def test_letters_that_were_withheld_do_not_keep_the_next_ones_back(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    _, address = await somebody(api, mailroom)
    for _ in range(7):
        await post(api, "forgot-password", email=address)
    sent = len(await mailroom.deliver())
    await owner.execute(_LATER, "handed_over")

    await post(api, "forgot-password", email=address)

    assert sent == 3
    assert len(await mailroom.deliver()) == 1


async def test_a_new_secret_key_gives_nobody_more_letters(
    api: aiohttp.ClientSession,
    tools: Tools,
    mailroom: Mailroom,
    tmp_path: Path,
    make_settings: MakeSettings,
) -> None:
    mine, _ = await somebody(api, mailroom)
    for _ in range(3):
        await promised(tools, SendReset, mine)
    sent = len(await mailroom.deliver())
    rotated = make_settings(secret_keys=f"k2:{b64encode(b'2' * 32).decode()},{SECRET_KEYS}")

    await promised(tools, SendReset, mine)

    assert sent == 3
    assert await Mailroom(replace(tools, keys=rotated.keyring), tmp_path).deliver() == []


@pytest.mark.parametrize("table", ["email_verification_tokens", "email_changes"])
async def test_letters_that_prove_an_address_are_good_for_the_day_they_tell_of(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any, table: str
) -> None:
    mine = await register(api)
    letter = await mailroom.one("welcome")
    if table == "email_changes":
        await wish(api, mine)
        letter = await mailroom.one("confirm_change")

    seconds = f"SELECT extract(epoch FROM expires_at - now())::float8 FROM {table}"  # noqa: S608

    assert 86_400 - 60 < await owner.fetchval(seconds) <= 86_400
    assert "24 hours" in text_of(letter)


async def test_taking_an_account_back_leaves_a_thief_no_device_and_no_letter(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    mine = await proved(api, mailroom)
    token = await moved(api, mailroom, mine)
    assert await login(api, MOVED) == 200
    await post(api, "forgot-password", email=MOVED)
    await wish(api, mine, "further@example.com")
    await mailroom.deliver()
    before = await owner.fetchval("SELECT count(*) FROM devices"), await owner.fetchval(_LIVE)

    status, _ = await post(api, "undo-email-change", token=token)

    assert status == 200
    assert before[0] > 0
    assert before[1] == 2
    assert await owner.fetchval("SELECT count(*) FROM devices") == 0
    assert await owner.fetchval(_LIVE) == 0


async def test_who_gives_way_to_the_owner_of_an_address_keeps_neither_session_nor_device(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    mine = await proved(api, mailroom)
    token = await moved(api, mailroom, mine)
    squatter = await register(api, email=mine["user"]["email"])

    await post(api, "undo-email-change", token=token)

    who = UUID(squatter["user"]["id"])
    reasons = await owner.fetch("SELECT end_reason FROM sessions WHERE user_id = $1", who)
    assert [row[0] for row in reasons] == ["account_deleted"]
    assert await owner.fetchval("SELECT count(*) FROM devices WHERE user_id = $1", who) == 0


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE email_verification_tokens SET expires_at = now()",
        "UPDATE email_verification_tokens SET spent_at = now()",
        "UPDATE users SET email = 'other@example.com'",
        "UPDATE users SET deleted_at = now()",
    ],
)
async def test_a_letter_that_verifies_dies_with_what_it_was_written_for(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any, change: str
) -> None:
    address = (await register(api))["user"]["email"]
    letter = await mailroom.one("welcome")
    await owner.execute(change)

    by_token, _ = await post(api, "verify-email", token=token_of(letter))
    by_code, _ = await post(api, "verify-email", email=address, code=code_of(letter))

    assert by_token == by_code == 400
    assert await owner.fetchval("SELECT email_verified FROM users") is False


async def test_twenty_answers_to_one_letter_verify_once(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    await register(api)
    token = token_of(await mailroom.one("welcome"))

    found = await asyncio.gather(*(post(api, "verify-email", token=token) for _ in range(20)))

    assert sorted(status for status, _ in found) == [200] + [400] * 19
    events = "SELECT count(*) FROM audit_inbox WHERE action = 'user.email_verified'"
    assert await owner.fetchval(events) == 1


@pytest.mark.parametrize("change", ["spent_at = now()", "expires_at = now()"])
async def test_what_was_found_good_and_then_ended_is_not_spent(
    api: aiohttp.ClientSession, tools: Tools, mailroom: Mailroom, owner: Any, change: str
) -> None:
    await register(api)
    await mailroom.deliver()
    letter_id = await owner.fetchval("SELECT id FROM email_verification_tokens")
    await owner.execute(f"UPDATE email_verification_tokens SET {change}")  # noqa: S608

    async with tools.database.transaction() as storage:
        assert await storage.email_verifications.spend(letter_id) is False


async def test_a_right_code_is_no_guess_even_when_the_address_is_taken(
    serve: Serve, mailroom: Mailroom, owner: Any
) -> None:
    api = await serve(rate_limit_anonymous="off")
    await wish(api, await proved(api, mailroom))
    code = code_of(await mailroom.one("confirm_change"))
    await register(api, email=MOVED)

    statuses = [(await post(api, "confirm-email", email=MOVED, code=code))[0] for _ in range(7)]
    await owner.execute("UPDATE users SET deleted_at = now() WHERE email = $1", MOVED)
    status, _ = await post(api, "confirm-email", email=MOVED, code=code)

    assert (statuses, status) == ([409] * 7, 200)


@pytest.mark.parametrize("way", ["change-password", "reset-password"])
@pytest.mark.parametrize("own", ["Wilhelmine-77", "Lovelace!2024", "Countess.7.of"])
async def test_no_way_to_a_new_password_takes_the_own_name_or_address(
    api: aiohttp.ClientSession, mailroom: Mailroom, way: str, own: str
) -> None:
    address = "countess.7.of@example.com"
    who = await register(api, email=address, firstName="Wilhelmine")
    proof: dict[str, Any] = {"currentPassword": PASSWORD}
    if way == "reset-password":
        await mailroom.deliver()
        await post(api, "forgot-password", email=address)
        proof = {"token": token_of(await mailroom.one("reset"))}

    status, told = await post(
        api, way, who if way == "change-password" else None, **proof, newPassword=own
    )

    assert status == 400
    assert "your name or e-mail address" in str(told["error"]["details"])


async def test_a_reset_forgets_the_guesses_of_others_wherever_its_owner_signs_in_next(
    serve: Serve, mailroom: Mailroom, owner: Any
) -> None:
    api = await serve(rate_limit_anonymous="off", trusted_proxies="127.0.0.1")
    _, address = await somebody(api, mailroom)
    for number in range(8):
        await post(api, "login", headers=via(number), email=address, password="wrong")
    await owner.execute("UPDATE sign_in_failures SET open_at = now() + interval '50 seconds'")
    await post(api, "forgot-password", email=address)
    token = token_of(await mailroom.one("reset"))

    await post(api, "reset-password", headers=via(500), token=token, newPassword=NEW)
    status, _ = await post(api, "login", headers=via(900), email=address, password=NEW)

    assert status == 200


async def test_a_page_tells_programs_too_when_to_try_again(serve: Serve) -> None:
    api = await serve(rate_limit_anonymous="off")
    form = {"email": "a@example.com", "code": "123456"}
    for _ in range(12):
        async with api.post("/verify-email", data=form) as answer:
            status, waits = answer.status, answer.headers.get("Retry-After", "0")

    assert status == 429
    assert int(waits) > 0


@pytest.mark.parametrize(
    "form", ["email=a@example.com&email=b@example.com", "email=a@example.com&other=%00"]
)
async def test_a_form_that_means_two_things_or_none_is_refused(
    api: aiohttp.ClientSession, owner: Any, form: str
) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    async with api.post("/forgot-password", data=form, headers=headers) as answer:
        assert answer.status == 400
        assert "The form" in await answer.text()

    assert await owner.fetchval("SELECT count(*) FROM outbox") == 0


@pytest.mark.parametrize("mark", [".", ":", "/", "@", "\\"])
async def test_a_name_makes_no_mail_program_show_a_link(
    api: aiohttp.ClientSession, mailroom: Mailroom, mark: str
) -> None:
    await register(api, firstName=f"go{mark}evil")

    letter = await mailroom.one("welcome")

    for kind in ("plain", "html"):
        assert "go evil" in text_of(letter, kind)
        assert f"go{mark}evil" not in text_of(letter, kind)


async def test_what_a_browser_calls_itself_is_kept_in_part_only(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    address = (await register(api))["user"]["email"]
    agent = {"User-Agent": "x" * 5_000}

    await post(api, "login", headers=agent, email=address, password=PASSWORD)

    assert await owner.fetchval("SELECT max(length(user_agent)) FROM sessions") == 300
