"""Verification of ledgers that are long: nothing is asked for in vain, nobody is kept waiting."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from ops.stack import Addresses
from storage.ledger import Checkpoint, Notary
from storage.ledger.repository import DROPPED
from tests.conftest import MakeSettings
from tests.storage.sealed_ledger import BATCH, ROWS, SealedLedger, opened
from tests.storage.trail import garbage_of_others_apart

_READ = """
SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables
WHERE relname = 'audit_checkpoints'
"""
_OLD = 20_000


@pytest.fixture
async def ledger(
    addresses: Addresses, make_settings: MakeSettings, migrated: None
) -> AsyncIterator[SealedLedger]:
    async with opened(addresses.migration_database_url, make_settings().keyring) as sealed:
        yield sealed


async def checkpoints_read(ledger: SealedLedger) -> int:
    """Count the rows of their table that this transaction has read."""
    count: int = await ledger.connection.fetchval(_READ)
    return count


async def drop_many(ledger: SealedLedger) -> None:
    """Give rows higher numbers, as if very many had gone with their months, signed each."""
    await ledger.execute("UPDATE audit_ledger SET sequence = sequence + $1", _OLD)
    await ledger.execute("UPDATE audit_checkpoints SET sequence = sequence + $1", _OLD)
    await ledger.write_anew(_OLD + 1)
    await ledger.sign_anew(ledger.keys)
    last = Notary(ledger.keys).sign(_OLD, bytes(32))
    await ledger.execute(
        "INSERT INTO audit_checkpoints (sequence, hash, key_id, signature)"
        " SELECT number, $2, $3, $4 FROM generate_series(1, $1) AS number",
        *(_OLD, last.hash, last.key_id, last.signature),
    )
    await ledger.execute("ANALYZE audit_checkpoints")


async def notice(ledger: SealedLedger) -> None:
    """Say in the chain's name that those months were dropped."""
    released = Notary(ledger.keys).release(_OLD, bytes(32))
    async with ledger.database.transaction() as storage:
        await storage.audit.note(DROPPED, month="2026-01-01", **released.shown())


async def test_checkpoints_of_months_that_are_gone_are_not_asked_for(ledger: SealedLedger) -> None:
    await drop_many(ledger)
    await notice(ledger)
    before = await checkpoints_read(ledger)

    found = await ledger.verdict()

    assert (found.valid, found.checked) == (True, ROWS), found
    assert await checkpoints_read(ledger) - before < 10 * ROWS


async def test_months_that_are_gone_without_a_notice_are_missed_as_quickly(
    ledger: SealedLedger,
) -> None:
    await drop_many(ledger)
    before = await checkpoints_read(ledger)

    found = await ledger.verdict()

    assert (found.valid, found.first_broken) == (False, 1), found
    assert await checkpoints_read(ledger) - before < 10 * ROWS


async def test_a_ledger_of_which_only_checkpoints_are_left_is_missed_as_quickly(
    ledger: SealedLedger,
) -> None:
    await drop_many(ledger)
    await ledger.execute("DELETE FROM audit_ledger")
    before = await checkpoints_read(ledger)

    found = await ledger.verdict()

    assert (found.valid, found.first_broken) == (False, 1), found
    assert await checkpoints_read(ledger) - before < 2_000


async def test_a_genuine_checkpoint_below_thousands_of_forged_ones_tells_of_a_tail_cut_off(
    ledger: SealedLedger,
) -> None:
    await ledger.execute("DELETE FROM audit_ledger WHERE sequence > $1", ROWS - BATCH)
    await ledger.execute(
        "INSERT INTO audit_checkpoints (sequence, hash, key_id, signature)"
        " SELECT number, '', 'k1', '' FROM generate_series($1::bigint, $1 + 2500) AS number",
        ROWS + 1,
    )

    found = await ledger.verdict()

    assert (found.valid, found.first_broken) == (False, ROWS - BATCH + 1), found


@pytest.mark.parametrize("kept", ["inside", "outside"])
async def test_thousands_of_signatures_keep_nobody_else_waiting(
    ledger: SealedLedger, kept: str
) -> None:
    outside: list[Checkpoint] = []
    if kept == "inside":
        await ledger.seal(400, batch=1)
    else:
        outside = 50 * await ledger.checkpoints()
    asked = asyncio.create_task(ledger.verdict(*outside))
    turns = []

    with garbage_of_others_apart():
        while not asked.done():
            # A share of this thread's work: no machine is slow or busy in only a part of it.
            began = time.thread_time()
            await asyncio.sleep(0)
            turns.append(time.thread_time() - began)

    assert (await asked).valid
    assert max(turns) < sum(turns) / 4, (max(turns), sum(turns))
