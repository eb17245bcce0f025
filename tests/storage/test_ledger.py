"""The ledger: what is sealed, and that every change by force is found, and named."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from ops.ids import new_id
from storage.actor import Actor, ActorKind
from storage.database import Database
from storage.ledger import Checkpoint
from storage.ledger.chain import Sealed
from storage.ledger.verify import Verdict, verify
from workers.toolbox import Tools

Sealing = Callable[[int], Awaitable[None]]


@pytest.fixture
async def seal(tools: Tools) -> Sealing:
    """Note so many events and seal them, seven at a time."""

    async def work(count: int) -> None:
        actor = Actor(kind=ActorKind.USER, id=new_id(), address="203.0.113.9", request_id="req_1")
        async with tools.database.transaction(actor) as storage:
            for number in range(count):
                await storage.audit.note("user.changed", subject=new_id(), number=number, ok=True)
        while await sealed(tools.database):
            pass

    return work


async def sealed(database: Database, limit: int = 7) -> int:
    async with database.transaction() as storage:
        return await storage.ledger.seal(limit=limit)


async def verdict(tools: Tools, *outside: Checkpoint) -> Verdict:
    return await verify(tools.database, tools.keys, outside)


async def test_what_is_sealed_is_valid_and_the_inbox_empty(
    tools: Tools, owner: Any, seal: Sealing
) -> None:
    await seal(30)

    found = await verdict(tools)

    assert found.valid, found
    assert found.checked == 30
    assert found.head
    assert found.head.sequence == 30
    assert await owner.fetchval("SELECT count(*) FROM audit_inbox") == 0


_INSERT = """
INSERT INTO audit_ledger SELECT $1::bigint, gen_random_uuid(), action, outcome, actor_kind,
    actor_id, subject_id, request_id, facts, happened_at, personal_hash, previous_hash, hash,
    sealed_at + interval '1 second' FROM audit_ledger WHERE sequence = $2::bigint
"""

_TAMPERING = {
    "a changed action": "UPDATE audit_ledger SET action = 'x.y' WHERE sequence = $1",
    "a changed fact": "UPDATE audit_ledger SET facts = '{\"number\": -1}' WHERE sequence = $1",
    "a changed time": """UPDATE audit_ledger
        SET happened_at = happened_at + interval '1 microsecond' WHERE sequence = $1""",
    "a changed time of sealing": """UPDATE audit_ledger
        SET sealed_at = sealed_at - interval '1 microsecond' WHERE sequence = $1""",
    "a removed actor": "UPDATE audit_ledger SET actor_id = NULL WHERE sequence = $1",
    "a changed hash": "UPDATE audit_ledger SET hash = '\\x00' WHERE sequence = $1",
    "a removed row": "DELETE FROM audit_ledger WHERE sequence = $1",
    "a changed address": """UPDATE audit_personal SET address = '192.0.2.1'
        WHERE event_id = (SELECT id FROM audit_ledger WHERE sequence = $1)""",
}


@pytest.mark.parametrize("how", _TAMPERING)
async def test_a_change_by_force_is_found_and_named(
    tools: Tools, owner: Any, seal: Sealing, how: str
) -> None:
    await seal(40)
    at = random.randint(1, 39)

    await owner.execute(_TAMPERING[how], at)

    found = await verdict(tools)
    assert (found.valid, found.first_broken) == (False, at), found


async def test_two_rows_that_changed_places_are_named(
    tools: Tools, owner: Any, seal: Sealing
) -> None:
    await seal(40)
    at = random.randint(1, 39)

    for old, new in ((at, 999), (at + 1, at), (999, at + 1)):
        await owner.execute(
            "UPDATE audit_ledger SET sequence = $2::bigint WHERE sequence = $1::bigint", old, new
        )

    found = await verdict(tools)
    assert (found.valid, found.first_broken) == (False, at), found


async def rehash(owner: Any, sequence: int) -> None:
    """Make a row's hash fit what it says now, as somebody would who knows how we do it."""
    row = await owner.fetchrow("SELECT * FROM audit_ledger WHERE sequence = $1", sequence)
    values = {name: row[name] for name in Sealed.__slots__} | {"facts": json.loads(row["facts"])}
    # Plain ids of those that asyncpg makes.
    plain = {name: UUID(str(it)) if isinstance(it, UUID) else it for name, it in values.items()}
    fitting = Sealed(**plain).hash
    await owner.execute("UPDATE audit_ledger SET hash = $2 WHERE sequence = $1", sequence, fitting)


@pytest.mark.parametrize("at", [1, 7, 12, 21, 39, 40])
async def test_a_row_that_was_changed_and_hashed_anew_is_named(
    tools: Tools, owner: Any, seal: Sealing, at: int
) -> None:
    await seal(40)

    await owner.execute("UPDATE audit_ledger SET action = 'x.y' WHERE sequence = $1", at)
    await rehash(owner, at)

    found = await verdict(tools)
    assert (found.valid, found.first_broken) == (False, at), found


async def test_a_chain_that_was_written_anew_disagrees_with_the_next_checkpoint(
    tools: Tools, owner: Any, seal: Sealing
) -> None:
    await seal(40)

    await owner.execute("UPDATE audit_ledger SET action = 'x.y' WHERE sequence = 10")
    await rehash(owner, 10)
    for sequence in range(11, 41):
        await owner.execute(
            "UPDATE audit_ledger SET previous_hash = (SELECT hash FROM audit_ledger"
            " WHERE sequence = $1 - 1) WHERE sequence = $1",
            sequence,
        )
        await rehash(owner, sequence)

    found = await verdict(tools)
    assert (found.valid, found.first_broken) == (False, 14), found  # seven are signed at a time


async def test_a_row_put_in_between_is_named(tools: Tools, owner: Any, seal: Sealing) -> None:
    await seal(40)
    at = random.randint(2, 40)

    await owner.execute(_INSERT, at, at)

    found = await verdict(tools)
    assert (found.valid, found.first_broken) == (False, at), found


async def test_a_row_put_at_the_end_is_named(tools: Tools, owner: Any, seal: Sealing) -> None:
    await seal(20)

    await owner.execute(_INSERT, 21, 20)
    await owner.execute("UPDATE audit_ledger SET previous_hash = hash WHERE sequence = 21")
    await rehash(owner, 21)

    found = await verdict(tools)
    assert (found.valid, found.first_broken) == (False, 21), found


async def test_a_tail_that_was_cut_off_is_named(tools: Tools, owner: Any, seal: Sealing) -> None:
    await seal(40)

    await owner.execute("DELETE FROM audit_ledger WHERE sequence > 33")

    found = await verdict(tools)
    assert (found.valid, found.first_broken) == (False, 34), found


async def test_a_tail_cut_off_with_its_checkpoints_shows_by_those_kept_outside(
    tools: Tools, owner: Any, seal: Sealing
) -> None:
    await seal(40)
    kept = (await verdict(tools)).head
    assert kept

    await owner.execute("DELETE FROM audit_ledger WHERE sequence > 21")
    await owner.execute("DELETE FROM audit_checkpoints WHERE sequence > 21")

    assert (await verdict(tools)).valid
    found = await verdict(tools, kept)
    assert (found.valid, found.first_broken) == (False, 22), found


async def test_rows_cut_off_at_the_beginning_are_named(
    tools: Tools, owner: Any, seal: Sealing
) -> None:
    await seal(40)

    await owner.execute("DELETE FROM audit_ledger WHERE sequence <= 14")

    found = await verdict(tools)
    assert (found.valid, found.first_broken) == (False, 1), found


async def test_erased_personal_data_leave_the_chain_valid(
    tools: Tools, owner: Any, seal: Sealing
) -> None:
    await seal(20)

    await owner.execute("DELETE FROM audit_personal")

    found = await verdict(tools)
    assert (found.valid, found.checked) == (True, 20)


async def test_the_first_checkpoint_that_we_did_not_sign_is_named(
    tools: Tools, owner: Any, seal: Sealing
) -> None:
    await seal(20)

    await owner.execute("UPDATE audit_checkpoints SET signature = signature || '\\x00'")

    found = await verdict(tools)
    assert (found.valid, found.first_broken) == (False, 7), found


async def test_sealing_from_all_sides_leaves_one_chain_and_no_event_behind(
    tools: Tools, owner: Any, seal: Sealing
) -> None:
    async def note_and_seal() -> None:
        for _ in range(10):
            async with tools.database.transaction() as storage:
                await storage.audit.note("user.changed", subject=new_id())
            await sealed(tools.database, limit=3)

    await asyncio.gather(*(note_and_seal() for _ in range(8)))
    await seal(0)

    found = await verdict(tools)
    assert (found.valid, found.checked) == (True, 80), found
    assert await owner.fetchval("SELECT count(DISTINCT id) FROM audit_ledger") == 80


async def test_nobody_is_suspected_while_events_are_being_sealed(
    tools: Tools, seal: Sealing
) -> None:
    await seal(50)
    stop = asyncio.Event()

    async def go_on() -> None:
        while not stop.is_set():
            await seal(5)

    work = asyncio.create_task(go_on())
    found = [await verdict(tools) for _ in range(20)]
    stop.set()
    await work

    assert all(item.valid for item in found), found
