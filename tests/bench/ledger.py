"""What the audit ledger costs: noting, sealing, verifying; and how soon what is noted is sealed."""

import asyncio
import resource
import time
from argparse import Namespace
from collections.abc import Awaitable, Callable
from typing import Any

from ops.ids import new_id
from ops.metrics import Metrics
from ops.settings import load
from storage.actor import Actor, ActorKind
from storage.database import Database
from storage.ledger.verify import verify
from tests.bench.report import about, table
from tests.timing import server
from tests.workers.processes import eventually, starting

_WRITERS = 8
_EVENTS = 60_000
_NOTED = 3_000
# The sealing worker's.
_BATCH = 2_000
_FILL = """
INSERT INTO audit_inbox (id, action, outcome, actor_kind, actor_id, subject_id, address,
    request_id, facts, happened_at)
SELECT gen_random_uuid(), 'user.changed', 'success', 'user', gen_random_uuid(),
    gen_random_uuid(), '203.0.113.9', 'req_' || number,
    jsonb_build_object('fields', 'firstName,lastName', 'number', number), now()
FROM generate_series(1, $1::bigint) AS number
"""
_LAG = """
SELECT percentile_cont(ARRAY[0.5, 0.99, 1.0]) WITHIN GROUP (
    ORDER BY extract(epoch FROM created_at - happened_at))
FROM audit_ledger WHERE action = $1
"""
_ACTOR = Actor(kind=ActorKind.USER, id=new_id(), address="203.0.113.9", request_id="req_1")


async def ledger(_: Namespace) -> str:
    """Note, seal and verify on servers of its own; then let relay and worker seal."""
    rows: list[tuple[str, str, str]] = []
    with server.stack() as environ:
        settings = load(environ)
        async with server.owning(environ) as owner:
            database = await Database.open(
                settings.worker_database_url or settings.database_url,
                keys=settings.keyring,
                metrics=Metrics(),
                name="bench",
            )
            noted = await _rate(_noting(database, _NOTED))
            rows.append((f"notes a second, a commit each, {_WRITERS} at once", noted, ""))
            await owner.execute(_FILL, _EVENTS)
            sealed = await _rate(lambda: _sealed(database))
            rows.append((f"events sealed a second, {_BATCH:,} a batch", sealed, ""))
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            verified = await _rate(lambda: _verified(database, settings))
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
            rows.append(("rows verified a second", verified, ""))
            rows.append(("verifying makes the process grow by, MB", f"{grown:.1f}", ""))
            with starting(environ) as begin:
                await begin("workers", "--queues", "audit", ready="working")
                await begin("workers.relay", ready="relaying")
                rows += await _lags(database, owner)
            await database.close()
    return about(f"{_EVENTS:,} events; lag: 60 s at each pace, from the event to its row") + table(
        rows
    )


async def _lags(database: Database, owner: Any) -> list[tuple[str, str, str]]:
    rows = []
    for pace in (1, 500):
        action = f"bench.noted_{pace}"
        await _noted_at(database, action, pace)
        await eventually(lambda: _is_empty(owner), 60)
        p50, p99, longest = await owner.fetchval(_LAG, action)
        figures = f"{p50:.2f} / {p99:.2f} / {longest:.2f}"
        rows.append((f"seal lag at {pace} events a second, s: p50 / p99 / longest", figures, ""))
    return rows


async def _noted_at(database: Database, action: str, pace: int) -> None:
    """Note so many events a second for a minute, ten times a second at most."""
    begun, done = time.monotonic(), 0
    while (spent := time.monotonic() - begun) < 60:
        async with database.transaction(_ACTOR) as storage:
            for _ in range(int(spent * pace) - done):
                await storage.audit.note(action, subject=new_id())
        done = max(done, int(spent * pace))
        await asyncio.sleep(0.1)


async def _is_empty(owner: Any) -> bool:
    return not await owner.fetchval("SELECT count(*) FROM audit_inbox")


async def _verified(database: Database, settings: Any) -> int:
    verdict = await verify(database, settings.keyring)
    assert verdict.valid, verdict
    return verdict.checked


def _noting(database: Database, count: int) -> Callable[[], Awaitable[int]]:
    async def write() -> None:
        for number in range(count // _WRITERS):
            async with database.transaction(_ACTOR) as storage:
                await storage.audit.note("user.changed", subject=new_id(), number=number)

    async def work() -> int:
        await asyncio.gather(*(write() for _ in range(_WRITERS)))
        return count // _WRITERS * _WRITERS

    return work


async def _sealed(database: Database) -> int:
    total, sealed = 0, _BATCH
    while sealed == _BATCH:
        async with database.transaction() as storage:
            sealed = await storage.ledger.seal(limit=_BATCH)
        total += sealed
    return total


async def _rate(work: Callable[[], Awaitable[int]]) -> str:
    started = time.perf_counter()
    done = await work()
    return f"{done / (time.perf_counter() - started):,.0f}"
