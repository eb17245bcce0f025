"""Nobody is accused for nothing: fifty verifications each of ledgers that live."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from ops.crypto import KeyRing, SecretKey
from ops.ids import new_id
from ops.metrics import Metrics
from ops.stack import Addresses
from storage.actor import Actor, ActorKind
from storage.database import Database
from storage.ledger import Checkpoint, Ledger
from storage.ledger.repository import DROPPED
from storage.ledger.verify import verify
from storage.repositories import Storage
from tests.conftest import MakeSettings
from tests.storage.sealed_ledger import SealedLedger
from workers.toolbox import Tools

_TIMES = 50
_ACTOR = Actor(kind=ActorKind.USER, id=new_id(), address="203.0.113.9", request_id="req_1")


async def note(tools: Tools, count: int) -> None:
    async with tools.database.transaction(_ACTOR) as storage:
        for _ in range(count):
            await storage.audit.note("user.changed", subject=new_id())


async def seal(tools: Tools, *, batch: int = 7) -> None:
    sealed = batch
    while sealed:
        async with tools.database.transaction() as storage:
            sealed = await storage.ledger.seal(limit=batch)


async def suspicions(tools: Tools, beside: Callable[[], Awaitable[None]]) -> list[Any]:
    """Verify fifty times while something else goes on; return what was found wrong."""
    stop, found, kept = asyncio.Event(), [], list[Checkpoint]()

    async def go_on() -> None:
        while not stop.is_set():
            await beside()

    work = asyncio.create_task(go_on())
    try:
        for _ in range(_TIMES):
            verdict = await verify(tools.database, tools.keys, kept)
            found.append(verdict)
            kept += [verdict.head] if verdict.head else []
    finally:
        stop.set()
        await work
    return [verdict for verdict in found if not verdict.valid]


async def test_an_untouched_ledger_is_valid(tools: Tools) -> None:
    await note(tools, 60)
    await seal(tools)

    assert await suspicions(tools, lambda: asyncio.sleep(0)) == []


async def test_an_empty_ledger_is_valid(tools: Tools) -> None:
    verdict = await verify(tools.database, tools.keys)

    assert (verdict.valid, verdict.checked, verdict.head) == (True, 0, None)


async def test_a_ledger_that_grows_is_valid_beside_two_sealers(tools: Tools) -> None:
    async def grow() -> None:
        await note(tools, random.randint(1, 30))
        await asyncio.gather(seal(tools, batch=5), seal(tools, batch=9))

    assert await suspicions(tools, grow) == []


async def test_a_ledger_whose_people_are_erased_is_valid(tools: Tools, owner: Any) -> None:
    await note(tools, 200)
    await seal(tools)

    async def erase() -> None:
        await owner.execute("""DELETE FROM audit_personal WHERE event_id IN
            (SELECT event_id FROM audit_personal ORDER BY random() LIMIT 4)""")

    assert await suspicions(tools, erase) == []
    assert await owner.fetchval("SELECT count(*) FROM audit_personal") < 200


_MONTHS = 24
_PER_MONTH = 5


@pytest.fixture
async def old_months(
    tools: Tools, addresses: Addresses, make_settings: MakeSettings
) -> AsyncIterator[None]:
    """Seal two years' events, each month's as if in its time."""
    url, keys = addresses.migration_database_url, make_settings().keyring
    assert url
    owner = await Database.open(url, keys=keys, metrics=Metrics(), name="test", pool_size=1)
    async with owner._connection() as connection, connection.transaction():
        storage = Storage(connection, keys, None)
        ledger = SealedLedger(connection, keys, owner, storage)
        await ledger.seal(_MONTHS * _PER_MONTH, batch=_PER_MONTH)
        await ledger.execute(
            """SELECT make_audit_partition(('2020-01-01'::date
            + make_interval(months => month))::date) FROM generate_series(0, $1) AS month""",
            23,
        )
        await ledger.execute(
            """UPDATE audit_ledger SET sealed_at = '2020-01-15Z'::timestamptz
            + make_interval(months => ((sequence - 1) / $1)::int)""",
            _PER_MONTH,
        )
        await ledger.write_anew(1)
        await ledger.sign_anew(keys)
    yield
    await owner.close()


async def drop_oldest(tools: Tools) -> None:
    async with tools.database.transaction() as storage:
        for month in (await storage.ledger.old_months(days=30))[:1]:
            await storage.ledger.erase_month(month, after=0, limit=1_000)
            released = await storage.ledger.drop_month(month)
            if released:
                await storage.audit.note(DROPPED, month=month.isoformat(), **released.shown())


async def test_a_ledger_whose_months_are_dropped_is_valid(
    tools: Tools, owner: Any, old_months: None
) -> None:
    async def drop() -> None:
        await drop_oldest(tools)
        await asyncio.sleep(0.01)
        await seal(tools)

    assert await suspicions(tools, drop) == []
    assert await owner.fetchval("SELECT min(sequence) FROM audit_ledger") > _PER_MONTH


async def test_a_ledger_of_which_only_the_promise_of_a_notice_is_left_is_valid(
    tools: Tools, old_months: None
) -> None:
    for _ in range(_MONTHS):
        await drop_oldest(tools)
        verdict = await verify(tools.database, tools.keys)
        assert verdict.valid, verdict
    assert verdict.checked == 0

    await seal(tools)

    verdict = await verify(tools.database, tools.keys)
    assert (verdict.valid, verdict.checked) == (True, _MONTHS)


async def test_old_keys_that_went_leave_a_ledger_valid_that_was_sealed_since(
    tools: Tools, owner: Any
) -> None:
    old, new = SecretKey("old", b"3" * 32), SecretKey("new", b"4" * 32)

    async def sealed_under(*keys: SecretKey) -> None:
        await note(tools, 10)
        async with tools.database.transaction() as storage:
            await Ledger(storage.ledger._connection, KeyRing(keys)).seal(limit=10)

    await sealed_under(old)
    await sealed_under(new, old)

    assert (await verify(tools.database, KeyRing([new]))).valid
    assert not (await verify(tools.database, KeyRing([SecretKey("newer", b"5" * 32)]))).valid
