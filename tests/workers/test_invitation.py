"""Letters of what administrators do: invitations, accounts suspended and active again."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ops.ids import new_id
from storage.jobs import (
    Job,
    SendAccountRestored,
    SendAccountSuspended,
    SendInvitation,
    SendReset,
    SendWelcome,
)
from tests.mailroom import Mailroom, code_of, kind_of, text_of, to_of, token_of
from tests.workers.conftest import AddUser, Hold, Put
from workers.passwords import send_invitation
from workers.toolbox import Tools


@pytest.fixture
def mailroom(tools: Tools, tmp_path: Path) -> Mailroom:
    return Mailroom(tools, tmp_path)


async def test_an_invitation_has_a_link_and_a_code_that_live_for_a_week(
    tools: Tools, put: Put, add_user: AddUser, mailroom: Mailroom, owner: Any
) -> None:
    await put(SendInvitation(await add_user(password_hash=None)))

    letter = await mailroom.one("invitation")

    assert to_of(letter) == "ada@example.com"
    for kind in ("plain", "html"):
        text = text_of(letter, kind)
        assert f"{tools.settings.base_url}/reset-password?token={token_of(letter)}" in text
        assert code_of(letter) in text
        assert "7 days" in text
    life = await owner.fetchval("SELECT expires_at - created_at FROM password_reset_tokens")
    assert abs(life - timedelta(days=7)) < timedelta(minutes=1)


async def test_an_invitation_done_twice_is_one_letter(
    tools: Tools, put: Put, hold: Hold, add_user: AddUser, mailroom: Mailroom
) -> None:
    job = SendInvitation(await add_user(password_hash=None))
    promise = await hold(await put(job))

    for _ in range(2):
        await send_invitation(job, promise, tools)

    assert [kind_of(letter) for letter in mailroom.letters()] == ["invitation"]


async def test_a_newer_reset_makes_an_invitation_worthless(
    put: Put, add_user: AddUser, mailroom: Mailroom, owner: Any
) -> None:
    user_id = await add_user(password_hash=None)
    for job in (SendInvitation(user_id), SendReset(user_id)):
        await put(job)

    letters = await mailroom.deliver()

    assert [kind_of(letter) for letter in letters] == ["invitation", "reset"]
    live = "SELECT count(*) FROM password_reset_tokens WHERE spent_at IS NULL"
    assert await owner.fetchval(live) == 1


@pytest.mark.parametrize(
    "gone", ["UPDATE users SET is_active = false", "UPDATE users SET deleted_at = now()"]
)
async def test_nobody_who_may_not_sign_in_is_invited_or_told_to(
    put: Put, add_user: AddUser, mailroom: Mailroom, owner: Any, gone: str
) -> None:
    user_id = await add_user()
    await owner.execute(gone)
    jobs: list[Job] = [
        SendInvitation(user_id), SendAccountRestored(user_id), SendInvitation(new_id()),
        SendAccountRestored(new_id()), SendAccountSuspended(new_id()),
    ]  # fmt: skip
    for job in jobs:
        await put(job)

    assert await mailroom.deliver() == []


async def test_a_suspension_is_told_with_its_time_unless_it_is_over(
    put: Put, add_user: AddUser, mailroom: Mailroom, owner: Any
) -> None:
    user_id = await add_user()
    await put(SendAccountSuspended(user_id))
    assert await mailroom.deliver() == []  # activated before the letter was written
    await owner.execute("UPDATE users SET is_active = false")

    await put(SendAccountSuspended(user_id))

    letter = await mailroom.one("account_suspended")
    for kind in ("plain", "html"):
        assert re.search(r"\d \w+ \d{4}, \d\d:\d\d UTC", text_of(letter, kind))


async def test_an_account_that_is_active_again_is_told_with_the_way_in(
    tools: Tools, put: Put, add_user: AddUser, mailroom: Mailroom
) -> None:
    await put(SendAccountRestored(await add_user()))

    letter = await mailroom.one("account_restored")

    for kind in ("plain", "html"):
        assert f"{tools.settings.base_url}/forgot-password" in text_of(letter, kind)
        assert "token=" not in text_of(letter, kind)


async def test_a_welcome_to_a_proved_address_asks_for_no_proof(
    put: Put, add_user: AddUser, mailroom: Mailroom, owner: Any
) -> None:
    user_id = await add_user()
    await owner.execute("UPDATE users SET email_verified = true")
    await put(SendWelcome(user_id))

    letter = await mailroom.one("account_created")

    assert "token=" not in letter.as_string()
    assert await owner.fetchval("SELECT count(*) FROM email_verification_tokens") == 0
