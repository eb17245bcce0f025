"""python -m workers.clock: promises periodic jobs when their hour comes, and measures the queues.

Any number of clocks may run: a slot and its promise are made in one statement, so one of each.
After a gap only the latest slot is caught up.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product

from cronsim import CronSim

from ops.errors import Unavailable
from ops.logging import get_logger
from ops.metrics import Metrics
from ops.settings import Settings
from ops.start import run_process, stop_on_signals
from storage.jobs import (
    CleanUpPipeline,
    CleanUpSessions,
    ExportCheckpoint,
    Job,
    KeepAuditMonths,
    RotateSigningKey,
    queues,
)
from workers.toolbox import Tools, open_tools

_MEASURE_SECONDS = 5.0
_STATES = ("pending", "handed_over", "dead")
_PEOPLE = ("unverified", "verified", "suspended", "deleted")

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Task:
    """A job and the minutes (cron, UTC) it is promised at."""

    cron: str
    job: Job


TASKS = (
    Task("*/15 * * * *", CleanUpSessions()),
    Task("7 * * * *", CleanUpPipeline()),
    Task("37 * * * *", RotateSigningKey()),
    Task("*/5 * * * *", ExportCheckpoint()),
    Task("17 * * * *", KeepAuditMonths()),
)


def latest_slot(cron: str, now: datetime) -> datetime:
    """Return the last time at or before `now` that the expression names."""
    next_minute = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return next(CronSim(cron, next_minute, reverse=True))


class Clock:
    """Looks at every task once a second and promises what is due."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._promised: dict[str, datetime] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Promise and measure until told to stop."""
        await asyncio.gather(
            self._every(1.0, stop, self.promise_due),
            self._every(_MEASURE_SECONDS, stop, self.measure),
        )

    async def promise_due(self) -> None:
        """Promise each task's latest slot, unless it was promised before."""
        now = datetime.now(UTC)
        for task in TASKS:
            slot = latest_slot(task.cron, now)
            if self._promised.get(task.job.name) == slot:
                continue
            async with self._tools.database.reading() as storage:
                made = await storage.clock.promise(task.job, slot)
            self._promised[task.job.name] = slot
            if made:
                self._tools.redis.ring_relay()
                _log.info("periodic job promised", job=task.job.name, slot=slot.isoformat())

    async def measure(self) -> None:
        """Set the gauges that belong to the whole service and not to one process."""
        metrics = self._tools.metrics
        async with self._tools.database.reading() as storage:
            depths = await storage.outbox.depths()
            metrics.outbox_oldest.set(await storage.outbox.lag())
            metrics.sessions_active.set(await storage.sessions.active())
            metrics.audit_unsealed.set(await storage.audit.unsealed())
            metrics.audit_seal_lag.set(await storage.audit.lag())
            key = await storage.signing_keys.signing()
            metrics.key_age.set(key.age if key else 0.0)
            people = await storage.users.states()
            for task, at in (await storage.clock.successes()).items():
                metrics.clock_success.labels(task).set(at)
        for kind in _PEOPLE:  # also the states that nobody is in any more
            metrics.users.labels(kind).set(people.get(kind, 0))
        metrics.outbox_pending.set(sum(row.depth for row in depths if row.state == "pending"))
        found = {(row.queue, row.state): row for row in depths}
        for queue, state in product(queues(), _STATES):
            row = found.get((queue, state))
            metrics.queue_depth.labels(queue, state).set(row.depth if row else 0)
        for queue in queues():
            ages = [row.oldest or 0.0 for row in depths if row.queue == queue]
            metrics.queue_oldest.labels(queue).set(max(ages, default=0.0))

    @staticmethod
    async def _every(
        seconds: float, stop: asyncio.Event, work: Callable[[], Awaitable[None]]
    ) -> None:
        while not stop.is_set():
            with suppress(Unavailable):
                await work()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), seconds)


async def clock(settings: Settings, *, name: str) -> int:
    """Run until told to stop; return the exit code."""
    async with open_tools(settings, name=name, metrics=Metrics(), pool_size=2) as tools:
        stop = stop_on_signals()  # not before: until then a signal may simply end us
        _log.info("ticking", tasks=len(TASKS))
        await Clock(tools).run(stop)
    return 0


def main() -> int:
    """Run the clock until told to stop."""
    return run_process("clock", lambda settings, name: asyncio.run(clock(settings, name=name)))


if __name__ == "__main__":
    sys.exit(main())
