"""What the audit ledger costs: noting, sealing, verifying; events a second."""

import argparse
import asyncio
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from ops.ids import new_id
from ops.metrics import Metrics
from ops.settings import load
from storage.actor import Actor, ActorKind
from storage.database import Database
from storage.ledger.verify import verify
from tests.timing import server

_WRITERS = 8
_BATCHES = (500, 2_000, 5_000)
_FILL = """
INSERT INTO audit_inbox (id, action, outcome, actor_kind, actor_id, subject_id, address,
    request_id, facts, happened_at)
SELECT gen_random_uuid(), 'user.changed', 'success', 'user', gen_random_uuid(),
    gen_random_uuid(), '203.0.113.9', 'req_' || number,
    jsonb_build_object('fields', 'firstName,lastName', 'number', number), now()
FROM generate_series(1, $1::bigint) AS number
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: what was measured, and how much of it."""

    what: str
    amount: float
    unit: str = "/s"

    def __str__(self) -> str:
        """Return it as a row of a table."""
        return f"| {self.what} | {self.amount:,.0f}{self.unit} |"


async def figures(count: int) -> list[Figure]:
    """Note, seal and verify so many events on servers of its own."""
    with server.stack() as environ:
        settings = load(environ)
        async with server.owning(environ) as owner:
            database = await Database.open(
                settings.worker_database_url or settings.database_url,
                keys=settings.keyring,
                metrics=Metrics(),
                name="bench",
            )
            found = [await _rate("notes, a transaction each", _noting(database, count // 20))]
            await _sealed(database, 2_000)
            for batch in _BATCHES:
                await owner.execute(_FILL, count)
                what = f"events sealed, {batch:,} a batch"
                found.append(await _rate(what, partial(_sealed, database, batch)))
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

            async def verified() -> int:
                verdict = await verify(database, settings.keyring)
                assert verdict.valid, verdict
                return verdict.checked

            found.append(await _rate("rows verified", verified))
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            found.append(Figure("verifying all rows makes the process grow by", grown, " KiB"))
            await database.close()
    return found


def _noting(database: Database, count: int) -> Callable[[], Awaitable[int]]:
    actor = Actor(kind=ActorKind.USER, id=new_id(), address="203.0.113.9", request_id="req_1")

    async def write() -> None:
        for number in range(count // _WRITERS):
            async with database.transaction(actor) as storage:
                await storage.audit.note("user.changed", subject=new_id(), number=number)

    async def work() -> int:
        await asyncio.gather(*(write() for _ in range(_WRITERS)))
        return count // _WRITERS * _WRITERS

    return work


async def _sealed(database: Database, batch: int) -> int:
    total, sealed = 0, batch
    while sealed == batch:
        async with database.transaction() as storage:
            sealed = await storage.ledger.seal(limit=batch)
        total += sealed
    return total


async def _rate(what: str, work: Callable[[], Awaitable[int]]) -> Figure:
    started = time.perf_counter()
    done = await work()
    return Figure(what, done / (time.perf_counter() - started))


def main() -> None:
    """Measure and print: `python -m tests.bench.ledger`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=60_000, help="how many (60,000)")
    found = asyncio.run(figures(parser.parse_args().events))
    sys.stdout.write("".join(f"{figure}\n" for figure in found))


if __name__ == "__main__":
    main()
