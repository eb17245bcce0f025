"""Letters that tell people what happened to their account."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ops.ids import new_id
from storage.jobs import (
    Job,
    SendAccountDeleted,
    SendAlreadyRegistered,
    SendEmailChanged,
    SendNewDevice,
    SendPasswordChanged,
    SendVerification,
)
from tests.mailroom import Mailroom, code_of, text_of, to_of, token_of
from tests.workers.conftest import AddUser, Put
from workers.toolbox import Tools

_CHROME = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/140.0.0.0 Safari/537.36"
)


@pytest.fixture
def mailroom(tools: Tools, tmp_path: Path) -> Mailroom:
    return Mailroom(tools, tmp_path)


Changed = Callable[[int | None], Awaitable[UUID]]


@pytest.fixture
def changed(owner: Any, add_user: AddUser) -> Changed:
    """Change somebody's address; it can be undone for so many seconds, or never."""

    async def changing(undo_seconds: int | None) -> UUID:
        return await confirmed(owner, await add_user(), undo_seconds)

    return changing


async def add_session(owner: Any, user_id: UUID, user_agent: str | None = _CHROME) -> UUID:
    session_id = new_id()
    await owner.execute(
        "INSERT INTO sessions (id, user_id, key_id, amr, authenticated_at, address, user_agent,"
        " created_at, expires_at, absolute_expires_at) VALUES ($1, $2, 'k1', '{pwd}', now(),"
        " '203.0.113.7', $3, '2026-03-04 05:06:07Z', now(), now())",
        session_id,
        user_id,
        user_agent,
    )
    return session_id


async def test_a_new_device_is_told_with_its_name_its_address_and_the_time(
    tools: Tools, put: Put, add_user: AddUser, mailroom: Mailroom, owner: Any
) -> None:
    await put(SendNewDevice(await add_session(owner, await add_user())))

    letter = await mailroom.one("new_device")

    for kind in ("plain", "html"):
        text = text_of(letter, kind)
        assert "Chrome on Linux" in text
        assert "203.0.113.7" in text
        assert "4 March 2026, 05:06 UTC" in text
        assert f"{tools.settings.base_url}/forgot-password" in text
        assert "token=" not in text


@pytest.mark.parametrize(
    "agent", [None, "", "\u202e<script>alert(1)</script>\r\nBcc: x@example.org", "(" * 300]
)
async def test_a_hostile_user_agent_is_an_unknown_device(
    put: Put, add_user: AddUser, mailroom: Mailroom, owner: Any, agent: str | None
) -> None:
    await put(SendNewDevice(await add_session(owner, await add_user(), agent)))

    letter = await mailroom.one("new_device")

    assert "Unknown device" in text_of(letter)
    for sign in ("\u202e", "<script>", "Bcc"):
        assert sign not in letter.as_string()


async def test_a_session_that_is_erased_is_told_to_nobody(put: Put, mailroom: Mailroom) -> None:
    await put(SendNewDevice(new_id()))

    assert await mailroom.deliver() == []


async def test_a_changed_password_is_told_with_the_time_and_the_way_out(
    put: Put, add_user: AddUser, mailroom: Mailroom
) -> None:
    await put(SendPasswordChanged(await add_user()))

    letter = await mailroom.one("password_changed")

    for kind in ("plain", "html"):
        assert re.search(r"\d \w+ \d{4}, \d\d:\d\d UTC", text_of(letter, kind))
        assert "/forgot-password" in text_of(letter, kind)


async def test_whoever_is_registered_already_learns_the_way_in(
    put: Put, add_user: AddUser, mailroom: Mailroom
) -> None:
    await put(SendAlreadyRegistered(await add_user()))

    letter = await mailroom.one("already_registered")

    assert letter["Subject"] == "Ostiary: you already have an account"
    assert "/forgot-password" in text_of(letter)
    assert "token=" not in letter.as_string()


async def test_a_farewell_goes_to_somebody_who_is_gone_and_to_nobody_else(
    put: Put, add_user: AddUser, mailroom: Mailroom, owner: Any
) -> None:
    user_id = await add_user()
    await put(SendAccountDeleted(user_id))
    assert await mailroom.deliver() == []  # restored before the letter was written
    await owner.execute("UPDATE users SET deleted_at = now()")

    await put(SendAccountDeleted(user_id))

    assert to_of(await mailroom.one("account_deleted")) == "ada@example.com"
    await owner.execute("DELETE FROM users")
    await put(SendAccountDeleted(user_id))
    assert await mailroom.deliver() == []


async def test_a_verification_has_a_link_and_a_code(
    tools: Tools, put: Put, add_user: AddUser, mailroom: Mailroom
) -> None:
    await put(SendVerification(await add_user()))

    letter = await mailroom.one("verification")

    for kind in ("plain", "html"):
        text = text_of(letter, kind)
        assert f"{tools.settings.base_url}/verify-email?token={token_of(letter)}" in text
        assert code_of(letter) in text


async def test_a_verified_address_is_not_asked_again(
    put: Put, add_user: AddUser, mailroom: Mailroom, owner: Any
) -> None:
    await put(SendVerification(await add_user()))
    await owner.execute("UPDATE users SET email_verified = true")

    assert await mailroom.deliver() == []
    assert await owner.fetchval("SELECT count(*) FROM email_verification_tokens") == 0


async def confirmed(owner: Any, user_id: UUID, undo_seconds: int | None) -> UUID:
    change_id = new_id()
    await owner.execute(
        "INSERT INTO email_changes (id, user_id, old_email, new_email, credential_version,"
        " expires_at, spent_at, confirmed_at, undo_expires_at) VALUES ($1, $2, 'old@example.com',"
        " 'ada@example.com', 1, now(), now(), now(), now() + make_interval(secs => $3))",
        change_id,
        user_id,
        undo_seconds,
    )
    return change_id


@pytest.mark.parametrize(("undo_seconds", "links"), [(3_600, 1), (None, 0), (0, 0)])
async def test_the_old_address_gets_a_way_back_while_there_is_one(
    put: Put, mailroom: Mailroom, changed: Changed, undo_seconds: int | None, links: int
) -> None:
    await put(SendEmailChanged(await changed(undo_seconds)))

    letter = await mailroom.one("email_changed")

    assert to_of(letter) == "old@example.com"
    assert text_of(letter).count("/undo-email-change?token=oeu_") == links
    assert bool(links) is ("/undo-email-change?token=oeu_" in text_of(letter, "html"))
    assert "ada@example.com" not in letter.as_string()  # the new address is not the old one's


async def test_a_change_that_nobody_confirmed_is_told_to_nobody(
    put: Put, changed: Changed, mailroom: Mailroom, owner: Any
) -> None:
    change_id = await changed(None)
    await owner.execute("UPDATE email_changes SET confirmed_at = NULL")
    jobs: list[Job] = [SendEmailChanged(change_id), SendEmailChanged(new_id())]
    for job in jobs:
        await put(job)

    assert await mailroom.deliver() == []
