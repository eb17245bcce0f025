"""Every actor that writes letters: done twice, for people who are gone, for what has ended."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ops.ids import new_id
from storage.jobs import CATALOGUE, Job, SendEmailChange
from storage.jobs.letters import LetterJob
from tests.mailroom import Mailroom
from tests.workers.conftest import AddUser, Put
from tests.workers.test_notices import add_session, confirmed
from workers.toolbox import Tools

LETTERS = {name: job for name, job in CATALOGUE.items() if issubclass(job, LetterJob)}
# What must be so that a letter has its reason; by default an account that is there is enough.
STATES = {
    "emails.account_deleted": "UPDATE users SET deleted_at = now()",
    "emails.account_suspended": "UPDATE users SET is_active = false",
}

Promised = Callable[[type[Job]], Awaitable[UUID]]


@pytest.fixture
def mailroom(tools: Tools, tmp_path: Path) -> Mailroom:
    return Mailroom(tools, tmp_path)


async def begin_change(owner: Any, user_id: UUID) -> UUID:
    change_id = await confirmed(owner, user_id, None)
    await owner.execute(
        "UPDATE email_changes SET old_email = 'ada@example.com', new_email = 'new@example.com',"
        " credential_version = (SELECT credential_version FROM users), confirmed_at = NULL,"
        " spent_at = NULL, expires_at = now() + interval '1 hour'"
    )
    return change_id


@pytest.fixture
def promised(owner: Any, add_user: AddUser, put: Put) -> Promised:
    """Promise a letter that has its reason."""

    async def promising(kind: type[Job]) -> UUID:
        subject = await add_user()
        if kind.name == "emails.new_device":
            subject = await add_session(owner, subject)
        if kind.name == "emails.confirm_change":
            subject = await begin_change(owner, subject)
        if kind.name == "emails.email_changed":
            subject = await confirmed(owner, subject, 3_600)
        if state := STATES.get(kind.name):
            await owner.execute(state)
        return await put(kind(subject))  # type: ignore[call-arg]

    return promising


def test_every_job_of_the_queues_of_letters_is_one() -> None:
    assert {name.partition(".")[0] for name in LETTERS} == {"emails", "passwords"}
    assert len(LETTERS) == sum(name.startswith(("emails.", "passwords.")) for name in CATALOGUE)


@pytest.mark.parametrize("kind", LETTERS.values(), ids=LETTERS)
async def test_a_letter_whose_job_is_done_again_is_not_sent_again(
    promised: Promised, mailroom: Mailroom, owner: Any, kind: type[Job]
) -> None:
    promise_id = await promised(kind)
    first = await mailroom.deliver()
    await owner.execute("UPDATE outbox SET state = 'handed_over', holder = NULL, run_until = NULL")

    await mailroom.do(promise_id)

    assert [letter["Message-ID"] for letter in first] == [f"<{promise_id}@localhost>"]
    assert mailroom.letters() == []


@pytest.mark.parametrize("kind", LETTERS.values(), ids=LETTERS)
async def test_nobody_is_written_to_who_was_erased_meanwhile(
    promised: Promised, mailroom: Mailroom, owner: Any, kind: type[Job]
) -> None:
    await promised(kind)
    await owner.execute("DELETE FROM users")

    assert await mailroom.deliver() == []
    assert await owner.fetchval("SELECT count(*) FROM outbox WHERE state = 'done'") == 1
    assert await owner.fetchval("SELECT count(*) FROM letters") == 0


@pytest.mark.parametrize("kind", LETTERS.values(), ids=LETTERS)
async def test_a_job_about_nothing_that_ever_was_is_done_and_writes_nothing(
    put: Put, mailroom: Mailroom, owner: Any, kind: type[Job]
) -> None:
    await put(kind(new_id()))  # type: ignore[call-arg]

    assert await mailroom.deliver() == []
    assert await owner.fetchval("SELECT count(*) FROM outbox WHERE state = 'done'") == 1


async def test_a_change_of_address_that_has_run_out_is_not_asked_about(
    promised: Promised, mailroom: Mailroom, owner: Any
) -> None:
    await promised(SendEmailChange)
    await owner.execute("UPDATE email_changes SET expires_at = now() - interval '1 second'")

    assert await mailroom.deliver() == []
