"""python -m workers.clock: promises periodic jobs when their hour comes, and measures the queues.

`list` shows how the tasks stand, `run TASK` has one done now. Any number of clocks may run: a slot
and its promise are made together, so one of each. After a gap only the latest slot is caught up.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from itertools import product

from ops.errors import Unavailable
from ops.logging import get_logger
from ops.metrics import Metrics
from ops.settings import Settings
from ops.start import run_process, stop_on_signals
from storage.clock_slots import Taken
from storage.jobs import queues
from storage.repositories import Storage
from storage.statistics import ACTIVE
from storage.tasks import TASKS, Task, latest_slot, next_slot
from workers import tasks_command
from workers.certificate import certificate_end
from workers.toolbox import Tools, open_tools
from workers.traces import ticking

_MEASURE_SECONDS = 5.0
# Of the time may go into counting people and sessions.
_COUNTING_SHARE = 0.01
_CERTIFICATE_SECONDS = 3_600.0
_STATES = ("pending", "handed_over", "dead")

_log = get_logger()


class Clock:
    """Looks at every task once a second and promises what is due."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        # Slots that nobody needs to look at any more: a task whose promise is open is not here.
        self._seen: dict[str, datetime] = {}
        self._count_after = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Promise and measure until told to stop."""
        await asyncio.gather(
            self._every(1.0, stop, self.promise_due),
            self._every(_MEASURE_SECONDS, stop, self.measure),
            self._every(_CERTIFICATE_SECONDS, stop, self.look_at_certificate),
        )

    async def promise_due(self) -> None:
        """Promise each task's latest slot, unless it was promised before."""
        async with self._tools.database.reading() as storage:
            now = await storage.clock.now()  # this machine's own clock may be wrong
        for task in TASKS:
            if self._seen.get(task.name) != latest_slot(task.cron, now):
                await self._promise(task, now)

    async def _promise(self, task: Task, now: datetime) -> None:
        slot, until = latest_slot(task.cron, now), next_slot(task.cron, now)
        span = ticking(task, self._tools.tracer)
        async with self._tools.database.transaction() as storage:
            taken = await storage.clock.promise(
                task.job, slot, until=until, trace_parent=span.place.header if span else None
            )
        if taken is not Taken.NOT_YET:
            self._seen[task.name] = slot
        if taken is Taken.PROMISED:
            _log.info("periodic job promised", job=task.name, slot=slot.isoformat())
            if span:  # what promised nothing is never ended, and so never seen
                span.end()

    async def look_at_certificate(self) -> None:
        """Set when the certificate of PUBLIC_URL ends; while nobody answers there, as last seen."""
        try:
            end = await certificate_end(self._tools.settings.public_url)
        except OSError as error:
            _log.warning("certificate of PUBLIC_URL not seen", reason=str(error))
            return
        if end is not None:
            self._tools.metrics.certificate_end.set(end)

    async def measure(self) -> None:
        """Set the gauges that belong to the whole service and not to one process."""
        metrics = self._tools.metrics
        async with self._tools.database.reading() as storage:
            depths = await storage.outbox.depths()
            metrics.outbox_oldest.set(await storage.outbox.lag())
            metrics.audit_unsealed.set(await storage.audit.unsealed())
            metrics.audit_seal_lag.set(await storage.audit.lag())
            key = await storage.signing_keys.signing()
            metrics.key_age.set(key.age if key else 0.0)
            metrics.administrators.set(await storage.roles.administrators())
            metrics.database_bytes.set(await storage.statistics.database_bytes())
            await self._measure_tasks(storage)
            await self._count(storage)
        metrics.outbox_pending.set(sum(row.depth for row in depths if row.state == "pending"))
        found = {(row.queue, row.state): row for row in depths}
        for queue, state in product(queues(), _STATES):
            row = found.get((queue, state))
            metrics.queue_depth.labels(queue, state).set(row.depth if row else 0)
        for queue in queues():
            ages = [row.oldest or 0.0 for row in depths if row.queue == queue]
            metrics.queue_oldest.labels(queue).set(max(ages, default=0.0))

    async def _count(self, storage: Storage) -> None:
        """Set the gauges for which rows are counted: the more there are, the less often."""
        begun = time.monotonic()
        if begun < self._count_after:
            return
        metrics = self._tools.metrics
        metrics.sessions_active.set(await storage.sessions.active())
        for state, people in (await storage.users.states()).items():
            metrics.users.labels(state).set(people)
        now = time.monotonic()
        self._count_after = now + (now - begun) / _COUNTING_SHARE

    async def _measure_tasks(self, storage: Storage) -> None:
        metrics = self._tools.metrics
        await storage.clock.note_successes()
        for state in await storage.clock.states([task.name for task in TASKS]):
            # Without a success from when a clock first saw it: an alarm must go off one day.
            if since := state.last_success or state.known_since:
                metrics.clock_success.labels(state.name).set(since.timestamp())
            metrics.clock_seconds.labels(state.name).set(state.last_seconds or 0.0)
        for task in TASKS:
            metrics.clock_period.labels(task.name).set(task.period)
        active = await storage.statistics.newest_active()
        for name in ACTIVE:
            metrics.active_users.labels(name.removeprefix("active_")).set(active.get(name, 0))

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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers.clock", description=__doc__)
    tasks_command.add_parsers(parser.add_subparsers(dest="command"))
    return parser


def main() -> int:
    """Run the clock until told to stop, or one command; return the exit code."""
    args = _parser().parse_args()
    if args.command:
        return tasks_command.main(args)
    return run_process("clock", lambda settings, name: asyncio.run(clock(settings, name=name)))


if __name__ == "__main__":
    sys.exit(main())
