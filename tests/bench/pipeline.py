"""What the pipeline costs: the relay, from commit to start, and a worker's memory.

Jobs beside Celery are measured in `peers`. Every row runs processes as production does.
"""

import asyncio
import statistics
import tempfile
import time
from argparse import Namespace
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil

from ops.metrics import Metrics
from ops.settings import load
from storage.database import Database
from storage.redis import Redis
from tests.bench.report import about, table
from tests.bench.trivial import Stamp
from tests.timing import server
from tests.workers.processes import eventually, starting
from workers.broker import Broker
from workers.relay import Relay
from workers.toolbox import open_tools

# Jobs at once: they share one loop, and what comes together is claimed together.
THREADS = 16
_RELAYED = 50_000
_STARTS = 300
_PARTS = 10
PROMISE = """
INSERT INTO outbox (id, queue, name, body)
SELECT gen_random_uuid(), 'sessions', 'sessions.nothing', jsonb_build_object('number', number)
FROM generate_series(1, $1) AS number
"""
LEFT = "SELECT count(*) FROM outbox WHERE state IN ('pending', 'handed_over')"

Row = Callable[[Namespace], Awaitable[str]]


async def relay(chosen: Namespace) -> str:
    """Measure how many promises a second one relay hands over; Redis is emptied in between."""
    rates = []
    with server.stack() as environ:
        settings = load(environ)
        broker = Broker(settings.redis_url)
        async with (
            server.owning(environ) as owner,
            open_tools(settings, name="bench", metrics=Metrics(), pool_size=2) as tools,
        ):
            one = Relay(tools, broker)
            for _ in range(chosen.repeat):
                await promised(owner, _RELAYED)
                rates.append(_RELAYED / await _relayed(one, broker))
        broker.close()
    rows = [("promises a second", f"{statistics.median(rates):,.0f}", ">= 20,000")]
    rows.append(("slowest and fastest round", f"{min(rates):,.0f} to {max(rates):,.0f}", ""))
    return about(f"{_RELAYED:,} promises of one lane a round, {chosen.repeat} rounds") + table(rows)


async def _relayed(one: Relay, broker: Broker) -> float:
    spent, left = 0.0, _RELAYED
    while left:
        begun = time.perf_counter()
        left -= await one.relay_once()
        spent += time.perf_counter() - begun
        broker.client.flushdb()
    return spent


async def start(chosen: Namespace) -> str:
    """Measure the time from a commit to the first line of its actor, on an otherwise idle house."""
    with server.stack() as environ, tempfile.TemporaryDirectory() as folder:
        stamps = Path(folder, "stamps")
        async with server.owning(environ):
            with starting(environ | {"STAMPS": str(stamps)}) as begin:
                await begin("tests.bench.trivial", str(THREADS), ready="working")
                await begin("workers.relay", ready="relaying")
                waits = sorted(await _waits(environ, stamps))
    p50, p99 = (waits[int(len(waits) * share)] for share in (0.5, 0.99))
    rows = [
        ("p50, ms", f"{p50:.1f}", "<= 10"),
        ("p99, ms", f"{p99:.1f}", "<= 50"),
        ("longest, ms", f"{waits[-1]:.1f}", ""),
    ]
    return about(f"{len(waits)} promises, one at a time") + table(rows)


async def _waits(environ: dict[str, str], stamps: Path) -> list[float]:
    settings, metrics = load(environ), Metrics()
    redis = Redis(settings.redis_url, metrics, timeout_ms=settings.redis_timeout_ms)
    database = await Database.open(
        settings.database_url, keys=settings.keyring, metrics=metrics, name="bench"
    )
    database.ring_with(redis.ring_relay)
    committed = []
    for number in range(_STARTS + 20):
        async with database.transaction() as storage:
            await storage.outbox.put(Stamp(number))
        committed.append(time.time())
        await eventually(lambda number=number: _stamped(stamps, number))  # type: ignore[misc]
    await database.close()
    await redis.close()
    begun = _read(stamps)
    waits = [(float(begun[str(number)]) - at) * 1000 for number, at in enumerate(committed)]
    return waits[20:]  # the first ones open connections and prepare statements


async def _stamped(stamps: Path, number: int) -> bool:
    return str(number) in _read(stamps)


def _read(stamps: Path) -> dict[str, str]:
    text = stamps.read_text() if stamps.exists() else ""
    return dict(line.split() for line in text.splitlines())


async def memory(chosen: Namespace) -> str:
    """Measure what a worker process weighs after every tenth of its jobs."""
    weights, part = [], chosen.jobs // _PARTS
    with server.stack() as environ, starting(environ) as begin:
        async with server.owning(environ) as owner:
            worker = await begin("tests.bench.trivial", str(THREADS), ready="working")
            await begin("workers.relay", ready="relaying")
            process = psutil.Process(worker.process.pid)
            for _ in range(_PARTS):
                await promised(owner, part)
                await eventually(lambda: settled(owner), 3_600)
                weights.append(process.memory_info().rss / 2**20)
    growth = weights[-1] - weights[1]
    rows = [(f"after {part * (n + 1):,} jobs, MB", f"{w:.1f}", "") for n, w in enumerate(weights)]
    rows.append(("growth since the second tenth, MB", f"{growth:.1f}", "flat"))
    return about(f"one process, {chosen.jobs:,} jobs, {THREADS} at once") + table(rows)


async def promised(owner: Any, count: int) -> None:
    """Begin with an outbox of so many promises and nothing else."""
    await owner.execute("TRUNCATE outbox")
    await owner.execute(PROMISE, count)
    await owner.execute("VACUUM ANALYZE outbox")


async def settled(owner: Any) -> bool:
    """Whether nothing is left to do; asked now and then, so that asking costs little."""
    await asyncio.sleep(0.05)
    return not await owner.fetchval(LEFT)
