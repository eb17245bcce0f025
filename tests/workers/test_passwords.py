"""The letter that lets somebody choose a new password, and how many of them one address gets."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ops.ids import new_id
from storage.jobs import (
    NOBODY,
    SendAccountDeleted,
    SendAlreadyRegistered,
    SendEmailChange,
    SendPasswordChanged,
    SendReset,
    SendReuseNotice,
    SendVerification,
    SendWelcome,
)
from storage.outbox import Promise
from tests.conftest import MakeSettings
from tests.mailroom import Mailroom, code_of, kind_of, text_of, to_of, token_of
from tests.workers.conftest import AddUser, Hold, Put
from tests.workers.smtp import Sink
from workers.letters import Letters
from workers.mailer import SmtpMailer
from workers.passwords import send_reset
from workers.toolbox import Tools

_LATER = "UPDATE letters SET created_at = created_at - interval '61 minutes'"


Asking = tuple[SendReset, Promise]
Asked = Callable[..., Awaitable[Asking]]


@pytest.fixture
def asked(put: Put, hold: Hold, add_user: AddUser) -> Asked:
    """Promise a letter to somebody, new unless told, and claim it."""

    async def asking(user_id: UUID | None = None) -> Asking:
        job = SendReset(user_id or await add_user())
        return job, await hold(await put(job))

    return asking


@pytest.fixture
def mailroom(tools: Tools, tmp_path: Path) -> Mailroom:
    return Mailroom(tools, tmp_path)


async def outcomes(owner: Any) -> list[str]:
    return [row["state"] for row in await owner.fetch("SELECT state FROM letters ORDER BY id")]


async def live(owner: Any) -> list[UUID]:
    rows = await owner.fetch("SELECT id FROM password_reset_tokens WHERE spent_at IS NULL")
    return [row["id"] for row in rows]


async def test_the_letter_has_a_link_and_a_code_in_both_parts(
    tools: Tools, put: Put, add_user: AddUser, mailroom: Mailroom
) -> None:
    await put(SendReset(await add_user()))

    letter = await mailroom.one("reset")

    assert to_of(letter) == "ada@example.com"
    assert letter["Subject"] == "Ostiary: choose a new password"
    for kind in ("plain", "html"):
        text = text_of(letter, kind)
        assert f"{tools.settings.base_url}/reset-password?token={token_of(letter)}" in text
        assert code_of(letter) in text
        assert "60 minutes" in text


async def test_the_token_lives_as_long_as_the_setting_says_and_the_letter_too(
    tools: Tools, asked: Asked, mailroom: Mailroom, make_settings: MakeSettings, owner: Any
) -> None:
    settings = make_settings(password_reset_ttl="10m", public_url="https://auth.example.com")

    await send_reset(*await asked(), replace(tools, settings=settings, letters=Letters(settings)))

    (letter,) = mailroom.letters()
    left = "SELECT extract(epoch FROM expires_at - now())::float8 FROM password_reset_tokens"
    assert 590 < await owner.fetchval(left) <= 600
    assert "10 minutes" in text_of(letter)
    assert "https://auth.example.com/reset-password?token=" in text_of(letter)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE users SET is_active = false",
        "UPDATE users SET deleted_at = now()",
        "DELETE FROM users",
    ],
)
async def test_nobody_gets_a_letter_who_may_not_sign_in(
    put: Put, add_user: AddUser, mailroom: Mailroom, owner: Any, change: str
) -> None:
    user_id = await add_user()
    await put(SendReset(user_id))
    await put(SendVerification(user_id))
    await owner.execute(change)

    assert await mailroom.deliver() == []
    assert await live(owner) == []
    assert await owner.fetchval("SELECT count(*) FROM email_verification_tokens") == 0
    assert await outcomes(owner) == []


async def test_the_jobs_of_nobody_do_nothing(put: Put, mailroom: Mailroom, owner: Any) -> None:
    for job in (SendReset(NOBODY), SendVerification(NOBODY), SendEmailChange(new_id())):
        await put(job)

    assert await mailroom.deliver() == []
    assert await owner.fetchval("SELECT count(*) FROM outbox WHERE state = 'done'") == 3


async def test_the_job_done_twice_sends_one_letter(tools: Tools, asked: Asked, sink: Sink) -> None:
    job, promise = await asked()
    sending = replace(tools, mailer=SmtpMailer(sink.url))
    before = sink.begun

    await send_reset(job, promise, sending)
    await send_reset(job, promise, sending)

    assert sink.begun == before + 1


async def test_a_letter_repeated_after_a_kill_is_the_same_letter_and_counts_once(
    tools: Tools, asked: Asked, mailroom: Mailroom, owner: Any
) -> None:
    job, promise = await asked()
    tokens = []
    for _ in range(5):
        await send_reset(job, promise, tools)
        tokens += [token_of(letter) for letter in mailroom.letters()]
        await owner.execute("UPDATE letters SET state = 'queued'")  # killed before it was noted

    for _ in range(2):
        await send_reset(*await asked(job.user_id), tools)

    assert len(tokens) == 5
    assert len(set(tokens)) == 1
    assert len(mailroom.letters()) == 2
    assert await outcomes(owner) == ["queued", "handed_over", "handed_over"]


async def test_a_late_retry_of_an_older_letter_gives_no_second_live_token(
    tools: Tools, asked: Asked, mailroom: Mailroom, owner: Any
) -> None:
    older = await asked()
    newer = await asked(older[0].user_id)
    await send_reset(*newer, tools)
    mailroom.letters()

    await send_reset(*older, tools)

    assert mailroom.letters() == []
    assert await live(owner) == [newer[1].id]
    assert await outcomes(owner) == ["withheld", "handed_over"]
    kept = await owner.fetchval("SELECT answer FROM letters WHERE state = 'withheld'")
    assert kept == "overtaken"


async def test_the_letter_of_a_token_that_was_used_is_not_written_again(
    tools: Tools, asked: Asked, mailroom: Mailroom, owner: Any
) -> None:
    job, promise = await asked()
    await send_reset(job, promise, tools)
    mailroom.letters()
    await owner.execute("UPDATE letters SET state = 'queued'")
    await owner.execute("UPDATE password_reset_tokens SET spent_at = now()")

    await send_reset(job, replace(promise, crashes=1), tools)

    assert mailroom.letters() == []
    assert await live(owner) == []
    assert "may have handed it over" in await owner.fetchval("SELECT answer FROM letters")


async def test_the_fourth_letter_of_an_hour_is_withheld_and_kills_no_token(
    tools: Tools, put: Put, add_user: AddUser, mailroom: Mailroom, owner: Any
) -> None:
    user_id = await add_user()
    ids = [await put(SendReset(user_id)) for _ in range(5)]

    letters = await mailroom.deliver()

    assert len(letters) == 3
    assert await outcomes(owner) == ["handed_over"] * 3 + ["withheld"] * 2
    assert await live(owner) == [ids[2]]
    counted = tools.metrics.registry.get_sample_value(
        "ostiary_letters_total", {"template": "reset", "outcome": "withheld"}
    )
    assert counted == 2


async def test_an_hour_later_letters_go_out_again(
    put: Put, add_user: AddUser, mailroom: Mailroom, owner: Any
) -> None:
    user_id = await add_user()
    for _ in range(4):
        await put(SendReset(user_id))
    await mailroom.deliver()
    await owner.execute(_LATER)

    await put(SendReset(user_id))

    assert len(await mailroom.deliver()) == 1


async def test_letters_that_strangers_cause_count_together_and_use_up_no_reset(
    put: Put, add_user: AddUser, mailroom: Mailroom
) -> None:
    user_id = await add_user()
    jobs = (SendWelcome, SendVerification, SendAlreadyRegistered, SendVerification, SendReset)
    for job in jobs:
        await put(job(user_id))

    kinds = [kind_of(item) for item in await mailroom.deliver()]

    assert kinds == ["welcome", "verification", "already_registered", "reset"]


async def test_registering_and_leaving_over_and_over_fills_no_mailbox(
    put: Put, add_user: AddUser, mailroom: Mailroom, owner: Any
) -> None:
    for _ in range(6):
        user_id = await add_user()
        await mailroom.do(await put(SendWelcome(user_id)))
        await owner.execute("UPDATE users SET deleted_at = now() WHERE id = $1", user_id)
        await mailroom.do(await put(SendAccountDeleted(user_id)))

    assert len(mailroom.letters()) == 3


async def test_other_recipients_are_counted_apart(
    put: Put, add_user: AddUser, mailroom: Mailroom
) -> None:
    for number in range(5):
        await put(SendReset(await add_user(email=f"person{number}@example.com")))

    assert len(await mailroom.deliver()) == 5


async def test_two_workers_at_once_count_one_after_the_other(
    put: Put, add_user: AddUser, mailroom: Mailroom, owner: Any
) -> None:
    user_id = await add_user()
    ids = [await put(SendReset(user_id)) for _ in range(8)]

    await asyncio.gather(*(mailroom.do(promise_id) for promise_id in ids))

    assert sorted(await outcomes(owner)).count("handed_over") <= 3
    assert len(mailroom.letters()) <= 3
    assert len(await live(owner)) == 1


async def test_notices_to_a_proved_address_are_neither_counted_nor_withheld(
    put: Put, add_user: AddUser, mailroom: Mailroom, owner: Any
) -> None:
    user_id = await add_user()
    await owner.execute("UPDATE users SET email_verified = true")
    for _ in range(4):
        await put(SendReuseNotice(user_id))
        await put(SendPasswordChanged(user_id))
    await put(SendReset(user_id))

    assert len(await mailroom.deliver()) == 9


async def test_notices_to_an_address_nobody_proved_are_counted(
    put: Put, add_user: AddUser, mailroom: Mailroom
) -> None:
    user_id = await add_user()
    for _ in range(5):
        await put(SendPasswordChanged(user_id))

    assert len(await mailroom.deliver()) == 3


async def test_the_address_is_counted_by_a_blind_index(
    tools: Tools, put: Put, add_user: AddUser, mailroom: Mailroom, owner: Any
) -> None:
    await put(SendReset(await add_user()))
    await mailroom.deliver()

    kept = await owner.fetchrow("SELECT l::text AS all, recipient_mac FROM letters l")

    assert "ada" not in kept["all"]
    assert kept["recipient_mac"] == tools.keys.mac(b"ada@example.com", purpose="letter recipient")
