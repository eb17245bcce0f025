"""A letter that a mail server puts off while the person's credential changes: its link is good."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from ops.stack import Addresses
from storage.jobs import SendWelcome
from storage.outbox import Promise
from storage.tokens import TokenKind, digests
from tests.mailroom import token_of
from tests.workers.conftest import AddUser, Hold, Put
from tests.workers.processes import eventually
from tests.workers.smtp import Sink
from workers.emails import send_welcome
from workers.mailer import SmtpMailer
from workers.outcomes import RefusedForNow
from workers.toolbox import Tools

# As whoever changes their password does.
_CHANGE = """
WITH changed AS (UPDATE users SET credential_version = credential_version + 1)
UPDATE email_verification_tokens SET spent_at = now() WHERE spent_at IS NULL
"""
_VERIFY = """
WITH verified AS (UPDATE users SET email_verified = true)
UPDATE email_verification_tokens SET spent_at = now() WHERE spent_at IS NULL
"""
_BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0"

Send = Callable[[], Awaitable[None]]


@pytest.fixture
async def send(tools: Tools, put: Put, hold: Hold, add_user: AddUser, sink: Sink) -> Send:
    """Promise a letter that the mail server refuses for now; give what tries once more."""
    job = SendWelcome(await add_user())
    promise: Promise = await hold(await put(job))
    sending = replace(tools, mailer=SmtpMailer(sink.url))

    async def once_more() -> None:
        await send_welcome(job, promise, sending)

    sink.answers["DATA"] = "451 4.3.0 not now"
    with pytest.raises(RefusedForNow):
        await once_more()
    sink.answers.clear()
    return once_more


async def is_good(token: str, tools: Tools) -> bool:
    async with tools.database.reading() as storage:
        return bool(
            await storage.email_verifications.by_token(
                digests(tools.keys, TokenKind.EMAIL_VERIFICATION, token)
            )
        )


async def test_its_token_is_of_the_credential_there_is_when_it_leaves(
    send: Send, tools: Tools, sink: Sink, owner: Any
) -> None:
    await owner.execute(_CHANGE)

    await send()

    assert await is_good(token_of(sink.letters[-1]), tools)


async def test_a_change_in_the_very_moment_does_not_withhold_it(
    send: Send, tools: Tools, sink: Sink, owner: Any, addresses: Addresses
) -> None:
    await _send_during(_CHANGE, send, owner, addresses)

    assert await owner.fetchval("SELECT state FROM letters") == "handed_over"
    assert await is_good(token_of(sink.letters[-1]), tools)


async def test_whose_address_is_proved_in_the_very_moment_needs_no_link_any_more(
    send: Send, tools: Tools, sink: Sink, owner: Any, addresses: Addresses
) -> None:
    before = len(sink.letters)

    await _send_during(_VERIFY, send, owner, addresses)

    assert len(sink.letters) == before
    assert await owner.fetchval("SELECT state FROM letters") == "withheld"


async def _send_during(change: str, send: Send, owner: Any, addresses: Addresses) -> None:
    """Try while somebody's transaction is about to commit the change."""
    changing = await asyncpg.connect(addresses.migration_database_url)
    try:
        transaction = changing.transaction()
        await transaction.start()
        await changing.execute(change)
        trying = asyncio.create_task(send())

        async def waits() -> bool:
            return bool(await owner.fetchval(_BLOCKED))

        await eventually(waits)
        await transaction.commit()
        await trying
    finally:
        await changing.close()
