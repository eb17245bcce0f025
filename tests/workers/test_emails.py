"""The welcome letter: the bare coroutine, awaited as a worker does."""

import email
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest

from ops.ids import new_id
from storage.jobs import SendReuseNotice, SendWelcome
from storage.outbox import Promise
from tests.workers.conftest import AddUser, Hold, Put
from tests.workers.smtp import Sink
from workers.emails import send_reuse_notice, send_welcome
from workers.mailer import SmtpMailer
from workers.outcomes import GivenUp
from workers.toolbox import Tools

Letters = Callable[[], list[EmailMessage]]
Welcoming = tuple[SendWelcome, Promise]
Promised = Callable[..., Awaitable[Welcoming]]


@pytest.fixture
def letters(tmp_path: Path) -> Letters:
    def read() -> list[EmailMessage]:
        files = sorted((tmp_path / "mail").glob("*.eml"))
        found = [email.message_from_bytes(path.read_bytes(), policy=default) for path in files]
        return cast("list[EmailMessage]", found)

    return read


@pytest.fixture
def promised(put: Put, hold: Hold, add_user: AddUser) -> Promised:
    """Promise a letter to somebody, new unless told, and claim it."""

    async def promising(user_id: UUID | None = None, **changes: str) -> Welcoming:
        job = SendWelcome(user_id or await add_user(**changes))
        return job, await hold(await put(job))

    return promising


def body(letter: EmailMessage, kind: str) -> str:
    part = letter.get_body((kind,))
    assert part
    return str(part.get_content())


async def test_a_new_user_is_welcomed_in_text_and_html(
    tools: Tools, promised: Promised, letters: Letters
) -> None:
    job, promise = await promised()

    await send_welcome(job, promise, tools)

    (letter,) = letters()
    assert letter.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in letter.iter_parts()] == ["text/plain", "text/html"]
    assert letter["To"].addresses[0].addr_spec == "ada@example.com"
    assert letter["To"].addresses[0].display_name == "Ada Lovelace"
    assert letter["From"].addresses[0].addr_spec == "no-reply@localhost"
    assert letter["Message-ID"] == f"<{promise.id}@localhost>"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Subject"] == "Welcome to Ostiary: confirm your address"
    assert letter["Date"].datetime
    assert letter.defects == []
    for kind in ("plain", "html"):
        text = body(letter, kind)
        assert re.search(r"/verify-email\?token=ove_[\w-]{43}\b", text)
        assert re.search(r"\b\d{6}\b", text)
        assert "Ada" in text


async def test_nobody_is_written_to_who_was_deleted_meanwhile(
    tools: Tools, promised: Promised, letters: Letters, owner: Any
) -> None:
    job, promise = await promised()
    await owner.execute("UPDATE users SET deleted_at = now()")

    await send_welcome(job, promise, tools)

    assert letters() == []
    assert await owner.fetchval("SELECT count(*) FROM email_verification_tokens") == 0


async def test_nobody_is_written_to_whose_row_is_gone(
    tools: Tools, promised: Promised, letters: Letters, owner: Any
) -> None:
    job, promise = await promised()
    await owner.execute("DELETE FROM users")

    await send_welcome(job, promise, tools)

    assert letters() == []
    assert await owner.fetchval("SELECT count(*) FROM letters") == 0


async def test_the_job_done_twice_sends_one_letter(
    tools: Tools, promised: Promised, sink: Sink
) -> None:
    job, promise = await promised()
    sending = replace(tools, mailer=SmtpMailer(sink.url))
    before = sink.begun

    await send_welcome(job, promise, sending)
    await send_welcome(job, promise, sending)

    assert sink.begun == before + 1


async def test_a_letter_repeated_after_a_kill_is_the_same_letter(
    tools: Tools, promised: Promised, sink: Sink, owner: Any
) -> None:
    job, promise = await promised()
    sending = replace(tools, mailer=SmtpMailer(sink.url))
    await send_welcome(job, promise, sending)
    await owner.execute("UPDATE letters SET state = 'queued'")  # killed before it was noted

    await send_welcome(job, promise, sending)

    first, again = sink.letters[-2:]
    assert first["Message-ID"] == again["Message-ID"]
    assert body(first, "plain") == body(again, "plain")


async def test_the_letters_row_tells_what_the_server_said(
    tools: Tools, promised: Promised, owner: Any
) -> None:
    job, promise = await promised()

    await send_welcome(job, promise, tools)

    kept = await owner.fetchrow("SELECT * FROM letters")
    assert (kept["id"], kept["user_id"], kept["template"]) == (promise.id, job.user_id, "welcome")
    assert kept["state"] == "handed_over"
    assert kept["answer"] == f"kept as {promise.id}.eml"
    assert kept["handed_at"]


async def test_a_letter_refused_for_good_is_noted_as_failed(
    tools: Tools, promised: Promised, sink: Sink, owner: Any
) -> None:
    job, promise = await promised()
    address = await owner.fetchval("SELECT email FROM users WHERE id = $1", job.user_id)
    sink.answers["RCPT"] = f"550 <{address}>: no such mailbox"

    with pytest.raises(GivenUp):
        await send_welcome(job, promise, replace(tools, mailer=SmtpMailer(sink.url)))

    sink.answers.clear()
    kept = await owner.fetchrow("SELECT * FROM letters")
    assert (kept["state"], kept["answer"]) == ("failed", "550 <[recipient]>: no such mailbox")
    assert kept["handed_at"] is None


async def test_only_digests_of_token_and_code_are_kept(
    tools: Tools, promised: Promised, letters: Letters, owner: Any
) -> None:
    job, promise = await promised()

    await send_welcome(job, promise, tools)

    text = body(letters()[0], "plain")
    secrets = [*re.findall(r"ove_([\w-]+)", text), *re.findall(r"\b\d{6}\b", text)]
    assert len(secrets) == 2
    tables = await owner.fetch("SELECT relname FROM pg_stat_user_tables")
    for (table,) in tables:
        for (kept,) in await owner.fetch(f'SELECT t::text FROM "{table}" t'):  # noqa: S608
            assert not any(secret in kept for secret in secrets), table
    kept = await owner.fetchrow("SELECT token_mac, code_mac FROM email_verification_tokens")
    assert all(len(digest) == 32 for digest in kept)


async def test_a_newer_letter_kills_the_token_of_the_older_one(
    tools: Tools, promised: Promised, owner: Any
) -> None:
    older = await promised()
    newer = await promised(older[0].user_id)

    await send_welcome(*newer, tools)
    await send_welcome(*older, tools)  # a late retry must not kill the newer one

    live = await owner.fetch("SELECT id FROM email_verification_tokens WHERE spent_at IS NULL")
    assert [found["id"] for found in live] == [newer[1].id]


@pytest.mark.parametrize(
    "name",
    [
        "Ada\r\nBcc: victim@example.org",
        "Ada\u2028Bcc: victim@example.org",
        'Ada" <victim@example.org>, "x',
        "a b, victim@example.org, victim2@example.org, x",
        "Ada <victim@example.org>",
        "=?utf-8?q?=0D=0ABcc:_victim=40example.org?=",
        "(victim@example.org)",
        "é, victim@example.org, " * 2,
    ],
)
async def test_a_name_adds_neither_header_nor_recipient(
    tools: Tools, promised: Promised, sink: Sink, name: str
) -> None:
    job, promise = await promised(first_name=name, last_name="L" * 50)

    await send_welcome(job, promise, replace(tools, mailer=SmtpMailer(sink.url)))

    letter = sink.letters[-1]
    assert sink.recipients[-1] == ["ada@example.com"]
    assert [address.addr_spec for address in letter["To"].addresses] == ["ada@example.com"]
    assert set(letter.keys()) == {
        *("Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted"),
        *("X-Ostiary-Template", "MIME-Version", "Content-Type"),
    }


async def test_a_name_is_text_in_html_and_keeps_no_direction_marks(
    tools: Tools, promised: Promised, letters: Letters
) -> None:
    name = "<a href='//evil'>\u202eAda\u2066 {{ 7 * 7 }}"
    job, promise = await promised(first_name=name)

    await send_welcome(job, promise, tools)

    (letter,) = letters()
    page = body(letter, "html")
    assert "&lt;a href=&#39; evil&#39;&gt;Ada {{ 7 * 7 }}" in page
    assert "//evil" not in page
    for text in (page, body(letter, "plain"), str(letter["To"])):
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f]", text)


async def test_a_name_in_any_script_survives(
    tools: Tools, promised: Promised, letters: Letters
) -> None:
    job, promise = await promised(first_name="Ἀρχιμήδης", last_name="山田 Ольга")

    await send_welcome(job, promise, tools)

    (letter,) = letters()
    assert letter["To"].addresses[0].display_name == "Ἀρχιμήδης 山田 Ольга"
    assert "Welcome, Ἀρχιμήδης!" in body(letter, "plain")


async def test_the_joiners_of_a_name_survive(
    tools: Tools, promised: Promised, letters: Letters
) -> None:
    name = "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627"
    job, promise = await promised(first_name=name, last_name="\u0dc1\u0dca\u200d\u0dbb\u0dd3")

    await send_welcome(job, promise, tools)

    (letter,) = letters()
    assert letter["To"].addresses[0].display_name == f"{name} \u0dc1\u0dca\u200d\u0dbb\u0dd3"
    assert f"Welcome, {name}!" in body(letter, "plain")


async def test_a_reused_token_is_told_once_and_without_any_link(
    tools: Tools, put: Put, hold: Hold, add_user: AddUser, letters: Letters
) -> None:
    job = SendReuseNotice(await add_user())
    promise = await hold(await put(job))

    await send_reuse_notice(job, promise, tools)
    await send_reuse_notice(job, promise, tools)

    (letter,) = letters()
    assert letter["To"].addresses[0].addr_spec == "ada@example.com"
    assert letter["Subject"] == "Ostiary: we ended one of your sessions"
    for kind in ("plain", "html"):
        assert "Ada" in body(letter, kind)
        assert "token=" not in body(letter, kind)


async def test_a_reused_token_of_somebody_gone_is_told_to_nobody(
    tools: Tools, put: Put, hold: Hold, letters: Letters
) -> None:
    job = SendReuseNotice(new_id())

    await send_reuse_notice(job, await hold(await put(job)), tools)

    assert letters() == []
