"""python -m workers status: queues, processes, and what is wrong with them, for a terminal."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ops.errors import Problem
from ops.metrics import Metrics
from ops.settings import Settings
from storage.backlog import QueueState
from storage.database import Database
from storage.processes import Process, alive
from storage.redis import Redis, RedisAway

_WATCH_SECONDS = 2.0
# Who waits for so long in a queue in which nothing was done for five minutes is not served.
_STALLED_SECONDS = 60.0
_NEEDED = ("relay", "clock")
_RED, _PLAIN = "\x1b[31m", "\x1b[0m"
_CLEAR = "\x1b[H\x1b[2J"
_QUEUE_COLUMNS = (
    "QUEUE",
    "PENDING",
    "DELAYED",
    "HANDED OVER",
    "RUNNING",
    "DEAD",
    "OLDEST",
    "DONE/MIN",
    "WORKERS",
    "PAUSED",
)
_PROCESS_COLUMNS = ("PROCESS", "HOST", "PID", "HEARD", "THREADS", "QUEUES")


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What was found; `processes` is None while Redis does not tell."""

    queues: Sequence[QueueState]
    processes: Sequence[Process] | None

    @property
    def problems(self) -> list[str]:
        """What somebody must see to, one sentence each; dead jobs are nobody's hurry."""
        found = [self._stalled(queue) for queue in self.queues if _is_stalled(queue)]
        if self.processes is None:
            return [*found, "Redis does not answer: no process can be heard, and nothing handed on"]
        kinds = {process.kind for process in self.processes}
        found += [f"no {kind} is heard: start one" for kind in _NEEDED if kind not in kinds]
        found += [
            f"{queue.queue}: no worker serves it: start one with --queues {queue.queue}"
            for queue in self.queues
            if not self.workers(queue)
        ]
        return found

    def workers(self, queue: QueueState) -> int:
        """Count the processes that serve a queue."""
        return sum(queue.queue in process.queues for process in self.processes or ())

    @staticmethod
    def _stalled(queue: QueueState) -> str:
        seconds = round(queue.oldest_seconds or 0)
        return f"{queue.queue}: stalled: a job waits for {seconds} s, none was done in 5 minutes"

    def facts(self) -> dict[str, Any]:
        """Return all of it for programs."""
        return {
            "ok": not self.problems,
            "problems": self.problems,
            "queues": [_facts(queue, self) for queue in self.queues],
            "processes": self.processes
            and [
                asdict(process) | {"heard": round(process.heard, 1)} for process in self.processes
            ],
        }

    def table(self) -> str:
        """Return all of it for people."""
        queues = [_QUEUE_COLUMNS, *(_row(queue, self) for queue in self.queues)]
        processes = [_PROCESS_COLUMNS, *map(_process_row, self.processes or ())]
        return f"{aligned(queues)}\n\n{aligned(processes)}"


async def look(settings: Settings) -> Status:
    """Look once; raise DatabaseAway."""
    metrics = Metrics()
    redis = Redis(settings.redis_url, metrics, timeout_ms=settings.redis_timeout_ms)
    try:
        database = await Database.open(
            settings.worker_database_url or settings.database_url,
            keys=settings.keyring,
            metrics=metrics,
            name="status",
            pool_size=1,
        )
        try:
            async with database.reading() as storage:
                queues = await storage.backlog.queues()
        finally:
            await database.close()
        return Status(queues=queues, processes=await _processes(redis))
    finally:
        await redis.close()


async def run(settings: Settings, args: argparse.Namespace) -> int:
    """Print what was found, with --watch again and again; exit 1 when something is wrong."""
    while True:
        try:
            status = await look(settings)
        except Problem as problem:
            sys.stderr.write(f"{problem.message}\n")
            if not args.watch:
                return 1
        else:
            sys.stdout.write(_written(status, args))
            sys.stdout.flush()
            if not args.watch:
                return 1 if status.problems else 0
        await asyncio.sleep(_WATCH_SECONDS)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as columns; the last column is as long as it likes."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


async def _processes(redis: Redis) -> list[Process] | None:
    try:
        return await alive(redis)
    except RedisAway:
        return None


def _is_stalled(queue: QueueState) -> bool:
    ended = queue.done_recently + queue.died_recently
    waits = (queue.oldest_seconds or 0) > _STALLED_SECONDS
    return waits and not ended and not queue.running and queue.paused is None


def _written(status: Status, args: argparse.Namespace) -> str:
    if args.json:
        return f"{json.dumps(status.facts(), default=str)}\n"
    shown = sys.stdout.isatty()
    red, plain = (_RED, _PLAIN) if shown else ("", "")
    problems = "".join(f"\n{red}BAD{plain}  {problem}" for problem in status.problems)
    clear = _CLEAR if shown and args.watch else ""
    return f"{clear}{status.table()}\n{problems or chr(10) + 'all is well'}\n"


def _facts(queue: QueueState, status: Status) -> dict[str, Any]:
    oldest = queue.oldest_seconds
    return {
        "queue": queue.queue,
        "pending": queue.pending,
        "delayed": queue.delayed,
        "handedOver": queue.handed_over,
        "running": queue.running,
        "dead": queue.dead,
        "oldestSeconds": None if oldest is None else round(oldest, 1),
        "donePerMinute": queue.done_per_minute,
        "diedPerMinute": queue.died_per_minute,
        "paused": queue.paused,
        "workers": None if status.processes is None else status.workers(queue),
    }


def _row(queue: QueueState, status: Status) -> tuple[str, ...]:
    counts = (queue.pending, queue.delayed, queue.handed_over, queue.running, queue.dead)
    pause = queue.paused or {}
    kind = "held" if queue.held else "waits for its server"
    return (
        queue.queue,
        *map(str, counts),
        "-" if queue.oldest_seconds is None else f"{queue.oldest_seconds:.0f} s",
        f"{queue.done_per_minute:.1f}",
        "?" if status.processes is None else str(status.workers(queue)),
        f"{kind}: {pause['reason']}" if pause else "-",
    )


def _process_row(process: Process) -> tuple[str, ...]:
    return (
        process.name,
        process.host,
        str(process.pid),
        f"{process.heard:.0f} s ago",
        str(process.threads or "-"),
        " ".join(process.queues) or "-",
    )
