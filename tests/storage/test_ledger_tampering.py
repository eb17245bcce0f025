"""Tampering with the ledger, in every way and fifty times each: the right row is named.

Where rows were written anew so that each fits the one before, only what a checkpoint signs, or the
first row after them, can tell: the row named is the first that is proven not to be what was sealed.
Everything is random; LEDGER_SEED, which a failure tells, repeats it.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ops.ids import new_id
from ops.stack import Addresses
from storage.ledger import Checkpoint
from tests.conftest import MakeSettings
from tests.storage.sealed_ledger import (
    BATCH,
    FOREIGN,
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
    """Add a way of tampering, named by its function."""
    WAYS[work.__name__.replace("_", " ")] = work
    return work


# One more row $1, like the row $2.
_COPY = """
INSERT INTO audit_ledger SELECT $1::bigint, gen_random_uuid(), action, outcome, actor_kind,
    actor_id, subject_id, request_id, facts, happened_at, personal_hash, previous_hash, hash,
    sealed_at FROM audit_ledger WHERE sequence = $2::bigint
"""
# What happens to the row $1, and it is that row which is named.
_TO_ONE_ROW = {
    "sequence": "UPDATE audit_ledger SET sequence = $1::bigint + 5000 WHERE sequence = $1",
    "id": "UPDATE audit_ledger SET id = gen_random_uuid() WHERE sequence = $1",
    "action": "UPDATE audit_ledger SET action = action || '_' WHERE sequence = $1",
    "outcome": "UPDATE audit_ledger SET outcome = 'failure' WHERE sequence = $1",
    "kind of actor": "UPDATE audit_ledger SET actor_kind = 'system' WHERE sequence = $1",
    "actor": "UPDATE audit_ledger SET actor_id = gen_random_uuid() WHERE sequence = $1",
    "no actor": "UPDATE audit_ledger SET actor_id = NULL WHERE sequence = $1",
    "subject": "UPDATE audit_ledger SET subject_id = gen_random_uuid() WHERE sequence = $1",
    "request": "UPDATE audit_ledger SET request_id = 'req_2' WHERE sequence = $1",
    "facts": "UPDATE audit_ledger SET facts = facts || '{\"ok\": false}' WHERE sequence = $1",
    "facts that are none": "UPDATE audit_ledger SET facts = '[1]' WHERE sequence = $1",
    "facts beyond all numbers": """UPDATE audit_ledger
        SET facts = jsonb_build_object('number', repeat('9', 500)::numeric)
        WHERE sequence = $1""",
    "time": """UPDATE audit_ledger
        SET happened_at = happened_at - interval '1 microsecond' WHERE sequence = $1""",
    "a time before Christ": """UPDATE audit_ledger
        SET happened_at = '0044-03-15 BC' WHERE sequence = $1""",
    "time of sealing": """UPDATE audit_ledger
        SET sealed_at = sealed_at + interval '1 microsecond' WHERE sequence = $1""",
    "sealed in another month": """UPDATE audit_ledger
        SET sealed_at = sealed_at + interval '5 days' * (CASE WHEN sequence < 45 THEN 1 ELSE -9 END)
        WHERE sequence = $1""",
    "sealed at the end of time": """UPDATE audit_ledger
        SET sealed_at = 'infinity' WHERE sequence = $1""",
    "hash of personal data": """UPDATE audit_ledger
        SET personal_hash = sha256(personal_hash) WHERE sequence = $1""",
    "previous hash": """UPDATE audit_ledger
        SET previous_hash = sha256(previous_hash) WHERE sequence = $1""",
    "hash": "UPDATE audit_ledger SET hash = sha256(hash) WHERE sequence = $1",
    "deleted": "DELETE FROM audit_ledger WHERE sequence = $1",
    "the tail": "DELETE FROM audit_ledger WHERE sequence >= $1",
    "twice": """INSERT INTO audit_ledger SELECT sequence, gen_random_uuid(), action, outcome,
        actor_kind, actor_id, subject_id, request_id, facts, happened_at, personal_hash,
        previous_hash, hash, sealed_at - interval '1 second'
        FROM audit_ledger WHERE sequence = $1""",
    "twice the same": """INSERT INTO audit_ledger SELECT sequence, id, action, outcome,
        actor_kind, actor_id, subject_id, request_id, facts, happened_at, personal_hash,
        previous_hash, hash, sealed_at + interval '1 second'
        FROM audit_ledger WHERE sequence = $1""",
    "address": """UPDATE audit_personal SET address = '192.0.2.1'
        WHERE event_id = (SELECT id FROM audit_ledger WHERE sequence = $1)""",
    "no address": """UPDATE audit_personal SET address = NULL
        WHERE event_id = (SELECT id FROM audit_ledger WHERE sequence = $1)""",
    "salt": """UPDATE audit_personal SET salt = sha256(salt)
        WHERE event_id = (SELECT id FROM audit_ledger WHERE sequence = $1)""",
}


def _to_one_row(statement: str) -> Way:
    async def work(ledger: SealedLedger, chance: Chance) -> tuple[int, list[Checkpoint]]:
        at = any_row(chance)
        await ledger.execute(statement, at)
        return at, []

    return work


ONE_ROW = {what: _to_one_row(text) for what, text in _TO_ONE_ROW.items()}


async def _exchange(ledger: SealedLedger, chance: Chance) -> tuple[int, int]:
    first, second = sorted(chance.sample(range(1, ROWS + 1), 2))
    for old, new in ((first, 9_999), (second, first), (9_999, second)):
        await ledger.number(old, new)
    return first, second


@way
async def two_rows_exchanged(ledger: SealedLedger, chance: Chance) -> Any:
    first, _ = await _exchange(ledger, chance)
    return first, []


@way
async def two_rows_exchanged_with_fitting_hashes(ledger: SealedLedger, chance: Chance) -> Any:
    first, second = await _exchange(ledger, chance)
    for row in (second, first):
        await ledger.write_anew(row, row)
    # Of neighbours, the first fits the row before and the second the first.
    neighbour = second == first + 1 and signed_from(first, await ledger.checkpoints()) != first
    return (second if neighbour else first), []


@way
async def two_addresses_exchanged(ledger: SealedLedger, chance: Chance) -> Any:
    rows = chance.sample(range(1, ROWS + 1), 2)
    ids = [await _id(ledger, row) for row in rows]
    for old, new in ((ids[0], new_id()), (ids[1], ids[0])):
        await ledger.execute(
            "UPDATE audit_personal SET event_id = $2 WHERE event_id = $1", old, new
        )
    return rows[0], []  # the other one's are gone, as if erased


async def _id(ledger: SealedLedger, row: int) -> Any:
    return await ledger.connection.fetchval("SELECT id FROM audit_ledger WHERE sequence = $1", row)


@way
async def a_row_below_the_first(ledger: SealedLedger, chance: Chance) -> Any:
    at = any_row(chance)
    await ledger.number(at, -at)
    return -at, []


@way
async def a_row_changed_with_a_fitting_hash(ledger: SealedLedger, chance: Chance) -> Any:
    at = any_row(chance)
    await falsify(ledger, at)
    await ledger.write_anew(at, at)
    return at, []


@way
async def a_previous_hash_changed_with_a_fitting_hash(ledger: SealedLedger, chance: Chance) -> Any:
    at = any_row(chance)
    await ledger.execute("UPDATE audit_ledger SET hash = sha256(hash) WHERE sequence = $1", at - 1)
    await ledger.write_anew(at, at)
    if at > 1:  # as it was; its successor now says something else
        await ledger.write_anew(at - 1, at - 1)
    else:
        await ledger.execute("UPDATE audit_ledger SET previous_hash = hash WHERE sequence = 1")
    return at, []


@way
async def some_rows_written_anew(ledger: SealedLedger, chance: Chance) -> Any:
    first = any_row(chance)
    last = min(ROWS, first + chance.randint(0, 2 * BATCH))
    await falsify(ledger, first)
    await ledger.write_anew(first, last)
    return min(last, signed_from(first, await ledger.checkpoints())), []


@way
async def the_tail_written_anew(ledger: SealedLedger, chance: Chance) -> Any:
    at = any_row(chance)
    await falsify(ledger, at)
    await ledger.write_anew(at)
    return signed_from(at, await ledger.checkpoints()), []


@way
async def the_tail_written_anew_without_its_checkpoints(
    ledger: SealedLedger, chance: Chance
) -> Any:
    at, known = any_row(chance), await ledger.checkpoints()
    await falsify(ledger, at)
    await ledger.write_anew(at)
    await ledger.cut_checkpoints(at)
    return (at - 1) // BATCH * BATCH + 1, chance.choice([[], known])  # no longer signed


@way
async def the_tail_written_anew_and_signed_by_others(ledger: SealedLedger, chance: Chance) -> Any:
    at = any_row(chance)
    await falsify(ledger, at)
    await ledger.write_anew(at)
    await ledger.sign_anew(FOREIGN, at)
    return signed_from(at, await ledger.checkpoints()), []


@way
async def the_tail_written_anew_and_signed_by_us(ledger: SealedLedger, chance: Chance) -> Any:
    at = any_row(chance)
    known = chance.sample(await ledger.checkpoints(), 5) + (await ledger.checkpoints())[-1:]
    await falsify(ledger, at)
    await ledger.write_anew(at)
    await ledger.sign_anew(ledger.keys, at)
    return signed_from(at, known), known


@way
async def a_row_put_in_between_and_all_after_it_moved(ledger: SealedLedger, chance: Chance) -> Any:
    at, fitting = any_row(chance), chance.random() < 0.5
    await ledger.execute(
        "UPDATE audit_ledger SET sequence = -sequence - 1 WHERE sequence >= $1", at
    )
    await ledger.execute("UPDATE audit_ledger SET sequence = -sequence WHERE sequence < 0")
    await ledger.execute(_COPY, at, at - 1 or 2)
    if not fitting:
        return at, []
    await ledger.write_anew(at)
    return signed_from(at, await ledger.checkpoints()), []


@way
async def a_row_put_at_the_end(ledger: SealedLedger, _: Chance) -> Any:
    await ledger.execute(_COPY, ROWS + 1, ROWS)
    await ledger.write_anew(ROWS + 1)
    return ROWS + 1, []


@pytest.mark.parametrize("what", ONE_ROW)
async def test_the_one_row_that_was_touched_is_named(ledger: SealedLedger, what: str) -> None:
    times = 50 if what in {"deleted", "the tail", "twice"} else 10

    await tamper(ledger, what, ONE_ROW[what], times=times)


@pytest.mark.parametrize("name", WAYS)
async def test_fifty_times_the_right_row_is_named(ledger: SealedLedger, name: str) -> None:
    await tamper(ledger, name, WAYS[name])
