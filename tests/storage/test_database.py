"""The way into PostgreSQL: whole transactions, and never more than a DatabaseAway."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from ops.ids import new_id
from ops.metrics import Metrics
from ops.settings import load
from ops.stack import Stack
from storage.actor import Actor, ActorKind
from storage.database import Database, DatabaseAway
from storage.idempotency import ClaimLost, InFlight, KeyReused
from storage.jobs import SendWelcome
from storage.outbox import OutsideTransaction
from tests.conftest import MakeSettings
from tests.factories import SECRET_KEYS
from tests.furniture import furnished
from tests.ops.stacks import FAST, open_room

JOB = SendWelcome(uuid4())


@pytest.fixture
async def database(make_settings: MakeSettings, clean: None) -> AsyncIterator[Database]:
    """Open a small pool on the session's database."""
    settings = make_settings()
    opened = await Database.open(
        settings.database_url,
        keys=settings.keyring,
        metrics=Metrics(),
        name="small",
        pool_size=2,
    )
    yield opened
    await opened.close()


async def promise(database: Database) -> None:
    """Write something."""
    async with database.transaction() as storage:
        await storage.outbox.put(JOB)


async def test_an_exception_rolls_everything_back_and_passes_through(
    database: Database, owner: Any
) -> None:
    rung: list[int] = []
    database.ring_with(lambda: rung.append(1))

    for kind in (ValueError, KeyboardInterrupt, asyncio.CancelledError):
        with pytest.raises(kind):  # noqa: PT012 - the block is what rolls back
            async with database.transaction() as storage:
                await storage.outbox.put(JOB)
                await storage.audit.note("user.created")
                raise kind

    assert await owner.fetchval("SELECT count(*) FROM outbox") == 0
    assert await owner.fetchval("SELECT count(*) FROM audit_inbox") == 0
    assert rung == []


async def test_the_bell_rings_after_a_commit_that_promised_and_only_then(
    database: Database, owner: Any
) -> None:
    rung: list[int] = []
    database.ring_with(lambda: rung.append(1))

    async with database.transaction() as storage:
        await storage.audit.note("user.created")
    async with database.transaction() as storage:
        await storage.outbox.put(JOB)
        assert rung == []

    assert rung == [1]


async def test_promises_and_events_outside_a_transaction_are_refused(
    database: Database, owner: Any
) -> None:
    async with database.reading() as storage:
        with pytest.raises(OutsideTransaction, match="SendWelcome"):
            await storage.outbox.put(JOB)
        with pytest.raises(RuntimeError, match=r"user\.created"):
            await storage.audit.note("user.created")

    assert await owner.fetchval("SELECT count(*) FROM outbox") == 0


async def test_an_exhausted_pool_is_away_within_two_seconds(database: Database) -> None:
    async with database.reading(), database.reading():
        started = time.perf_counter()
        with pytest.raises(DatabaseAway):
            await promise(database)
        waited = time.perf_counter() - started

    assert 0.5 < waited < 2
    await promise(database)


async def test_a_server_that_is_not_there_is_away_within_two_seconds(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    for url in (f"postgresql://u@/d?host={tmp_path}", "postgresql://u@127.0.0.1:1/d"):
        started = time.perf_counter()
        with pytest.raises(DatabaseAway):
            await Database.open(
                url, keys=make_settings().keyring, metrics=Metrics(), name="nowhere"
            )
        assert time.perf_counter() - started < 2


async def test_mistakes_of_ours_are_not_taken_for_an_absent_server(database: Database) -> None:
    with pytest.raises(asyncpg.DataError):
        async with database.reading() as storage:
            await storage._connection.execute("SELECT $1::integer", "text")
    with pytest.raises(asyncpg.UndefinedTableError):
        async with database.reading() as storage:
            await storage._connection.execute("SELECT * FROM nonsense")


async def test_connections_that_were_ended_are_replaced(database: Database, owner: Any) -> None:
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"
    await promise(database)

    with pytest.raises(DatabaseAway):
        async with database.transaction() as storage:  # the sessions of a role may end each other
            await storage._connection.execute(end, "ostiary small")

    await promise(database)


async def test_a_flip_to_read_only_drops_the_connections(database: Database, owner: Any) -> None:
    name = await owner.fetchval("SELECT current_database()")
    await promise(database)
    await owner.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await database._pool.expire_connections()
    try:
        with pytest.raises(DatabaseAway):
            await promise(database)
    finally:
        await owner.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')

    await promise(database)


async def test_a_restart_of_the_server_is_survived_with_nothing_but_away(furniture: Path) -> None:
    with open_room() as folder:
        stack = Stack(furnished(folder / "home", furniture), redis=False, settings=FAST)
        at = stack.start()
        environ = {"DATABASE_URL": str(at.migration_database_url), "SECRET_KEYS": SECRET_KEYS}
        settings = load(environ, directory=folder)
        database = await Database.open(
            settings.database_url, keys=settings.keyring, metrics=Metrics(), name="t", pool_size=4
        )
        stop = asyncio.Event()
        outcomes: list[tuple[float, float, type[BaseException] | None]] = []
        callers = [asyncio.create_task(_keep_asking(database, stop, outcomes)) for _ in range(6)]
        try:
            await asyncio.sleep(0.3)
            await asyncio.to_thread(stack.stop)
            down = time.perf_counter()
            await asyncio.sleep(1.2)
            assert all(kind for at, _, kind in outcomes if at > down)
            stack.start()
            up = time.perf_counter()
            await asyncio.sleep(1.5)
        finally:
            stop.set()
            await asyncio.gather(*callers, return_exceptions=True)
            await database.close()
            stack.stop()

    assert {kind for _, _, kind in outcomes} == {None, DatabaseAway}
    assert max(took for _, took, _ in outcomes) < 2
    assert min(at for at, _, kind in outcomes if at > up and kind is None) - up < 1


async def _keep_asking(
    database: Database,
    stop: asyncio.Event,
    outcomes: list[tuple[float, float, type[BaseException] | None]],
) -> None:
    while not stop.is_set():
        started = time.perf_counter()
        kind: type[BaseException] | None = None
        try:
            await promise(database)
        except Exception as error:  # noqa: BLE001 - what it is, is what is asked
            kind = type(error)
        ended = time.perf_counter()
        outcomes.append((ended, ended - started, kind))
        await asyncio.sleep(0.01)


async def test_a_claim_is_finished_once_and_gives_its_result_back(database: Database) -> None:
    known = {"secret": b"theirs", "body_mac": b"body"}
    async with database.reading() as storage:
        keys = storage.idempotency
        claim = await keys.claim(b"key", **known)
        with pytest.raises(InFlight):
            await keys.claim(b"key", **known)
        with pytest.raises(KeyReused):
            await keys.claim(b"key", secret=b"theirs", body_mac=b"another")
        keys._actor = Actor(kind=ActorKind.SYSTEM, claim=claim)
        await keys.keep({"user": "1"})
        with pytest.raises(ClaimLost):
            await keys.keep({"user": "2"})
        again = await keys.claim(b"key", **known)
        await keys.release(claim)

        assert again.result == {"user": "1"}
        assert (await keys.claim(b"key", **known)).result == {"user": "1"}


async def test_a_claim_given_up_is_free_and_an_expired_one_is_taken_over(
    database: Database, owner: Any
) -> None:
    known = {"secret": b"theirs", "body_mac": b"body"}
    async with database.reading() as storage:
        keys = storage.idempotency
        first = await keys.claim(b"key", **known)
        await keys.release(first)
        second = await keys.claim(b"key", **known)
        await owner.execute("UPDATE idempotency_keys SET lease_until = now() - interval '1 s'")
        third = await keys.claim(b"key", **known)
        await keys.release(second)  # no longer theirs to give up

        assert len({first.holder, second.holder, third.holder}) == 3
        with pytest.raises(InFlight):
            await keys.claim(b"key", **known)


async def test_a_promise_for_later_is_not_due_and_a_purge_spares_what_is_not_done(
    database: Database, owner: Any
) -> None:
    later = datetime.fromtimestamp(time.time() + 3600, UTC)
    async with database.transaction() as storage:
        await storage.outbox.put(JOB, at=later)
        now = await storage.outbox.put(JOB)

    async with database.reading() as storage:
        due = await storage.outbox.claim_due(10)
        assert await storage.history.purge_done(seconds=0, limit=10) == 0

    assert [item.id for item in due] == [now]


async def test_a_job_somebody_works_on_makes_its_queue_no_older(
    database: Database, owner: Any
) -> None:
    async with database.transaction() as storage:
        promise_id = await storage.outbox.put(JOB)
    async with database.reading() as storage:
        [waiting] = await storage.outbox.depths()
        await storage.outbox.claim_runs([(promise_id, new_id())], lease=15)
        [running] = await storage.outbox.depths()

    assert waiting.oldest is not None
    assert (running.depth, running.oldest) == (1, None)
