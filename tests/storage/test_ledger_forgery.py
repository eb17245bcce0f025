"""Forging what proves the ledger: checkpoints, witnesses, notices, months; the row is named.

As in test_ledger_tampering, fifty times each; LEDGER_SEED repeats a failure.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from ops.stack import Addresses
from storage.ledger import Notary
from storage.ledger.repository import DROPPED
from tests.conftest import MakeSettings
from tests.storage.sealed_ledger import (
    BATCH,
    FOREIGN,
    MONTH,
    ROWS,
    Chance,
    SealedLedger,
    Way,
    any_row,
    falsify,
    opened,
    signed_from,
    tamper,
)

WAYS: dict[str, Way] = {}


@pytest.fixture(scope="module")
async def ledger(
    addresses: Addresses, make_settings: MakeSettings, migrated: None
) -> AsyncIterator[SealedLedger]:
    """Give one ledger to all tests; each rolls back what it does."""
    async with opened(addresses.migration_database_url, make_settings().keyring) as sealed:
        yield sealed


def way(work: Way) -> Way:
    """Add a way of forging, named by its function."""
    WAYS[work.__name__.replace("_", " ")] = work
    return work


@way
async def the_tail_with_its_checkpoints(ledger: SealedLedger, chance: Chance) -> Any:
    at, known = any_row(chance), await ledger.checkpoints()
    await ledger.cut(at)
    # What is left of a batch is signed by nothing any more.
    return (at - 1) // BATCH * BATCH + 1, known[-1:]


@way
async def the_beginning(ledger: SealedLedger, chance: Chance) -> Any:
    await ledger.execute("DELETE FROM audit_ledger WHERE sequence <= $1", any_row(chance))
    return 1, []


@way
async def the_beginning_with_a_notice_of_its_own(ledger: SealedLedger, chance: Chance) -> Any:
    last = chance.randint(1, ROWS - 1)
    row_hash = await ledger.hash_of(last)
    assert row_hash
    signing = chance.choice([Notary(FOREIGN).release, Notary(ledger.keys).sign])
    async with ledger.database.transaction() as storage:
        await storage.audit.note(DROPPED, month="2026-01-01", **signing(last, row_hash).shown())
    if chance.random() < 0.5:
        await ledger.seal(0)
    await ledger.execute("DELETE FROM audit_ledger WHERE sequence <= $1", last)
    return 1, []


@way
async def everything(ledger: SealedLedger, chance: Chance) -> Any:
    known = await ledger.checkpoints()
    await ledger.execute("DELETE FROM audit_ledger")
    if chance.random() < 0.5:
        return 1, []
    await ledger.execute("DELETE FROM audit_checkpoints")
    return 1, chance.sample(known, 1)


@way
async def a_month_detached(ledger: SealedLedger, chance: Chance) -> Any:
    first = chance.choice([1, MONTH + 1])
    name = await ledger.connection.fetchval(
        "SELECT tableoid::regclass::text FROM audit_ledger WHERE sequence = $1", first
    )
    await ledger.execute(f"ALTER TABLE audit_ledger DETACH PARTITION {name}")
    return first, []


@way
async def a_month_changed_while_detached(ledger: SealedLedger, chance: Chance) -> Any:
    at = any_row(chance)
    name = await ledger.connection.fetchval(
        "SELECT tableoid::regclass::text FROM audit_ledger WHERE sequence = $1", at
    )
    bounds = await ledger.connection.fetchval(
        "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = $1::text::regclass", name
    )
    await ledger.execute(f"ALTER TABLE audit_ledger DETACH PARTITION {name}")
    await ledger.execute(f"UPDATE {name} SET outcome = 'denied' WHERE sequence = {at}")  # noqa: S608
    await ledger.execute(f"ALTER TABLE audit_ledger ATTACH PARTITION {name} {bounds}")
    return at, []


@way
async def a_checkpoint_signed_by_others(ledger: SealedLedger, chance: Chance) -> Any:
    old = chance.choice(await ledger.checkpoints())
    await ledger.replace_checkpoint(Notary(FOREIGN).sign(old.sequence, old.hash))
    return old.sequence, []


@way
async def a_checkpoint_with_another_hash(ledger: SealedLedger, chance: Chance) -> Any:
    old = chance.choice(await ledger.checkpoints())
    await ledger.replace_checkpoint(replace(old, hash=chance.randbytes(32)))
    return old.sequence, []


@way
async def an_old_checkpoint_in_place_of_a_newer_one(ledger: SealedLedger, chance: Chance) -> Any:
    old, new = chance.sample(await ledger.checkpoints(), 2)
    await ledger.replace_checkpoint(replace(old, sequence=new.sequence))
    return new.sequence, []


@way
async def a_checkpoint_of_a_row_that_never_was(ledger: SealedLedger, chance: Chance) -> Any:
    at = ROWS + any_row(chance)
    await ledger.replace_checkpoint(Notary(FOREIGN).sign(at, chance.randbytes(32)))
    return at, []


@way
async def a_release_in_place_of_a_checkpoint(ledger: SealedLedger, chance: Chance) -> Any:
    old = chance.choice(await ledger.checkpoints())
    await ledger.replace_checkpoint(Notary(ledger.keys).release(old.sequence, old.hash))
    return old.sequence, []


@way
async def the_newest_checkpoints_taken_away(ledger: SealedLedger, chance: Chance) -> Any:
    first = any_row(chance)
    await ledger.cut_checkpoints(first)
    return (first - 1) // BATCH * BATCH + 1, []


@way
async def the_key_of_the_newest_checkpoint_renamed(ledger: SealedLedger, chance: Chance) -> Any:
    await ledger.execute(
        "UPDATE audit_checkpoints SET key_id = $2 WHERE sequence = $1", ROWS, f"k{chance.random()}"
    )
    return ROWS, []


@way
async def a_forged_witness(ledger: SealedLedger, chance: Chance) -> Any:
    known, at = await ledger.checkpoints(), chance.randint(1, 2 * ROWS)
    return at, [*known, Notary(FOREIGN).sign(at, chance.randbytes(32))]


@way
async def a_change_that_a_forged_witness_confirms(ledger: SealedLedger, chance: Chance) -> Any:
    at = any_row(chance)
    await falsify(ledger, at)
    await ledger.write_anew(at)
    signed = signed_from(at, await ledger.checkpoints())
    row_hash = await ledger.hash_of(signed)
    assert row_hash
    return signed, [Notary(FOREIGN).sign(signed, row_hash)]


@way
async def a_chain_that_went_on_from_an_old_copy(ledger: SealedLedger, chance: Chance) -> Any:
    """As after a fail-over to a standby that was behind: signed by us, and another history."""
    known = await ledger.checkpoints()
    copy = chance.choice(known[:-1]).sequence
    await ledger.cut(copy + 1)
    count = chance.randint(1, 3 * BATCH)
    await ledger.seal(count, batch=chance.randint(3, 2 * BATCH))
    return min(signed_from(copy + 1, known), copy + count + 1), known


@way
async def a_second_sealer_that_knows_an_old_head(ledger: SealedLedger, chance: Chance) -> Any:
    head = chance.choice((await ledger.checkpoints())[:-1]).sequence
    await ledger.cut_checkpoints(head + 1)
    await ledger.seal(chance.randint(1, 2 * BATCH))
    return head + 1, []


@pytest.mark.parametrize("name", WAYS)
async def test_fifty_times_the_row_whose_proof_was_forged_is_named(
    ledger: SealedLedger, name: str
) -> None:
    await tamper(ledger, name, WAYS[name])
