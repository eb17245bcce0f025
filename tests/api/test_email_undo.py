"""An account taken back from the address it had before."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.api.flows import (
    AUTH,
    MOVED,
    NEW,
    address_of,
    login,
    moved,
    post,
    proved,
    wish,
)
from tests.factories import PASSWORD, bearer, register
from tests.mailroom import (
    Mailroom,
    to_of,
    token_of,
)
from workers.toolbox import Tools


@pytest.fixture
def mailroom(tools: Tools, tmp_path: Path) -> Mailroom:
    return Mailroom(tools, tmp_path)


async def test_the_old_address_takes_the_account_back(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    mine = await proved(api, mailroom)
    before = mine["user"]["email"]
    token = await moved(api, mailroom, mine)

    status, _ = await post(api, "undo-email-change", token=token)

    assert status == 200
    assert await address_of(owner) == (before, True)
    assert await owner.fetchval("SELECT password_hash FROM users") is None
    assert await login(api, before) == await login(api, MOVED) == 401
    reasons = await owner.fetch("SELECT DISTINCT end_reason FROM sessions")
    assert [row[0] for row in reasons] == ["email_undone"]
    assert await owner.fetchval("SELECT count(*) FROM devices") == 0  # the thief's is a stranger
    noted = "SELECT facts FROM audit_inbox WHERE action = 'user.email_change_undone'"
    assert json.loads(await owner.fetchval(noted)) == {"sessions_ended": 1}
    letter = await mailroom.one("reset")
    assert to_of(letter) == before
    status, _ = await post(api, "reset-password", token=token_of(letter), newPassword=NEW)
    assert (status, await login(api, before, NEW)) == (200, 200)
    assert (await post(api, "undo-email-change", token=token))[0] == 400


async def test_a_thief_can_do_nothing_against_the_way_back(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    mine = await proved(api, mailroom)
    before = mine["user"]["email"]
    token = await moved(api, mailroom, mine)
    await post(api, "change-password", mine, currentPassword=PASSWORD, newPassword=NEW)
    await post(api, "forgot-password", email=MOVED)
    reset = token_of(await mailroom.one("reset"))
    await post(api, "reset-password", token=reset, newPassword="Third-Gnu-55")
    _, thief = await post(api, "login", email=MOVED, password="Third-Gnu-55")
    await wish(api, thief["data"], "further@example.com", "Third-Gnu-55")
    await post(api, "confirm-email", token=token_of(await mailroom.one("confirm_change")))
    thiefs = token_of(await mailroom.one("email_changed"))
    squatter = await register(api, email=before)

    status, _ = await post(api, "undo-email-change", token=token)

    assert status == 200
    assert await address_of(owner) == (before, True)
    assert (await post(api, "undo-email-change", token=thiefs))[0] == 400
    async with api.get(f"{AUTH}/me", headers=bearer(squatter)) as answer:
        assert answer.status == 401
    gone = await owner.fetchrow("SELECT * FROM audit_inbox WHERE action = 'user.deleted'")
    assert str(gone["subject_id"]) == squatter["user"]["id"]
    theirs = "SELECT end_reason FROM sessions WHERE user_id = $1"
    assert await owner.fetchval(theirs, gone["subject_id"]) == "account_deleted"


async def test_whoever_proved_the_old_address_meanwhile_keeps_it(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    mine = await proved(api, mailroom)
    token = await moved(api, mailroom, mine)
    await proved(api, mailroom, email=mine["user"]["email"])

    status, told = await post(api, "undo-email-change", token=token)

    assert (status, told["error"]["code"]) == (409, "DUPLICATE_ENTRY")
    assert await owner.fetchval("SELECT count(*) FROM users WHERE deleted_at IS NULL") == 2
    assert await login(api, MOVED) == 200


async def test_twenty_uses_of_the_way_back_count_once(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    mine = await proved(api, mailroom)
    token = await moved(api, mailroom, mine)

    found = await asyncio.gather(*(post(api, "undo-email-change", token=token) for _ in range(20)))

    assert sorted(status for status, _ in found) == [200] + [400] * 19
    events = "SELECT count(*) FROM audit_inbox WHERE action = 'user.email_change_undone'"
    assert await owner.fetchval(events) == 1


async def test_an_address_that_was_never_proved_is_told_but_gets_no_way_back(
    api: aiohttp.ClientSession, mailroom: Mailroom
) -> None:
    mine = await register(api)
    await mailroom.deliver()
    await wish(api, mine)
    await post(api, "confirm-email", token=token_of(await mailroom.one("confirm_change")))

    notice = await mailroom.one("email_changed")

    assert to_of(notice) == mine["user"]["email"]
    assert "token=" not in notice.as_string()


async def test_the_way_back_is_open_for_three_days(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    mine = await proved(api, mailroom)
    token = await moved(api, mailroom, mine)
    left = await owner.fetchval(
        "SELECT extract(epoch FROM undo_expires_at - now())::integer FROM email_changes"
    )
    await owner.execute("UPDATE email_changes SET undo_expires_at = now()")

    status, _ = await post(api, "undo-email-change", token=token)

    assert 72 * 3_600 - 60 < left <= 72 * 3_600
    assert status == 400
