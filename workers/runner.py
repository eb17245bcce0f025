"""Does one promise: claim it, keep the lease alive, do the job, settle or put back.

Every way a job can end is decided here and nowhere else.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from ops.errors import Unavailable
from ops.ids import new_id
from ops.logging import bound, get_logger
from storage.jobs import Job
from storage.outbox import Promise
from workers.actor import Work
from workers.outcomes import GivenUp, ServerAway
from workers.toolbox import Tools

LEASE_SECONDS = 15.0
RENEW_SECONDS = 5.0
MAX_CRASHES = 3

_LONGEST_BACKOFF = 3_600.0
_INSIST_SECONDS = 60.0
_ERROR_LENGTH = 500

_log = get_logger()


class LeaseLost(Exception):  # noqa: N818 - read as a sentence where it is caught
    """Another worker has the promise now; whatever we did, it will do again under the same id."""


class Runner:
    """Works on promises with the tools of one process."""

    def __init__(self, tools: Tools, works: Mapping[str, tuple[type[Job], Work[Any]]]) -> None:
        self._tools = tools
        self._works = works
        self._running: set[asyncio.Task[Any]] = set()

    async def run(self, promise_id: UUID) -> None:
        """Do the promise unless it is done, dead or in other hands; never raises for its sake."""
        async with self._tools.database.reading() as storage:
            promise = await storage.outbox.claim_run(
                promise_id, holder=new_id(), lease=LEASE_SECONDS
            )
        if promise is None:
            return
        task = asyncio.current_task()
        if task:
            self._running.add(task)
        try:
            with bound(job=promise.name, job_id=str(promise.id), request_id=promise.request_id):
                await self._observed(promise)
        finally:
            if task:
                self._running.discard(task)

    def cancel(self) -> None:
        """Interrupt what is running; it is put back for another worker."""
        for task in self._running:
            task.cancel()

    async def _observed(self, promise: Promise) -> None:
        metrics = self._tools.metrics
        waited = (datetime.now(UTC) - promise.available_at).total_seconds()
        metrics.job_wait.labels(promise.queue).observe(max(waited, 0.0))
        started = time.perf_counter()
        with metrics.jobs_in_progress.labels(promise.queue).track_inprogress():
            outcome = await self._outcome(promise)
        metrics.job_seconds.labels(promise.queue, promise.name).observe(
            time.perf_counter() - started
        )
        metrics.jobs.labels(promise.queue, promise.name, outcome).inc()

    async def _outcome(self, promise: Promise) -> str:
        if promise.crashes >= MAX_CRASHES:
            return await self._bury(promise, f"its worker vanished {promise.crashes} times")
        try:
            await self._leased(promise)
        except asyncio.CancelledError:
            await asyncio.shield(self._put_back(promise, seconds=0, counted=False))
            raise
        except LeaseLost:
            _log.warning("lease lost")
            return "lost"
        except GivenUp as error:
            return await self._bury(promise, str(error))
        except ServerAway as error:
            return await self._wait_for_server(promise, str(error))
        except Unavailable as error:
            await self._put_back(promise, seconds=1, counted=False, error=error.message)
            return "retried"
        except Exception as error:  # noqa: BLE001 - whatever an actor raises ends here
            return await self._failed(promise, error)
        return await self._settle(promise)

    async def _leased(self, promise: Promise) -> None:
        kind, work = self._works[promise.name]
        try:
            job = kind.from_body(promise.body)
        except (TypeError, ValueError) as error:
            raise GivenUp(f"its body is not one of {promise.name}: {error}") from error
        doing = asyncio.ensure_future(work(job, promise, self._tools))
        renewing = asyncio.ensure_future(self._renew(promise))
        try:
            async with asyncio.timeout(kind.time_limit):
                await asyncio.wait({doing, renewing}, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                raise LeaseLost
            await doing
        finally:
            for task in (doing, renewing):
                task.cancel()
            await asyncio.gather(doing, renewing, return_exceptions=True)

    async def _renew(self, promise: Promise) -> None:
        """Return when the lease is lost; until then keep it alive."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            with suppress(Unavailable):
                async with self._tools.database.reading() as storage:
                    if not await storage.outbox.renew(promise, lease=LEASE_SECONDS):
                        return

    async def _settle(self, promise: Promise) -> str:
        async def settle() -> None:
            async with self._tools.database.reading() as storage:
                await storage.outbox.settle(promise)
                if promise.paused:
                    await storage.outbox.resume(promise.queue)

        await self._insist(settle)
        return "done"

    async def _failed(self, promise: Promise, error: Exception) -> str:
        kind, _ = self._works[promise.name]
        reason = f"{type(error).__name__}: {error}"[:_ERROR_LENGTH]
        if promise.attempts >= kind.max_attempts:
            return await self._bury(promise, reason)
        ceiling = min(kind.first_backoff * 2 ** (promise.attempts - 1), _LONGEST_BACKOFF)
        seconds = random.uniform(ceiling / 2, ceiling)  # noqa: S311 - jitter
        _log.warning("job failed, will be tried again", seconds=round(seconds, 1), exc_info=error)
        await self._put_back(promise, seconds=seconds, counted=True, error=reason)
        self._tools.metrics.job_retries.labels(promise.queue, promise.name).inc()
        return "retried"

    async def _wait_for_server(self, promise: Promise, reason: str) -> str:
        async def pause() -> None:
            async with self._tools.database.reading() as storage:
                await storage.outbox.pause(promise.queue, reason[:_ERROR_LENGTH])

        _log.warning("server away, the queue waits", queue=promise.queue, reason=reason)
        await self._insist(pause)
        await self._put_back(promise, seconds=0, counted=False, error=reason[:_ERROR_LENGTH])
        return "waiting"

    async def _put_back(
        self, promise: Promise, *, seconds: float, counted: bool, error: str | None = None
    ) -> None:
        async def put_back() -> None:
            async with self._tools.database.reading() as storage:
                await storage.outbox.put_back(
                    promise, seconds=seconds, counted=counted, error=error
                )

        await self._insist(put_back)

    async def _bury(self, promise: Promise, reason: str) -> str:
        async def bury() -> None:
            async with self._tools.database.reading() as storage:
                await storage.outbox.bury(promise, reason[:_ERROR_LENGTH])

        _log.error("job given up", reason=reason)
        await self._insist(bury)
        return "dead"

    async def _insist(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Write down how it ended even through a restart of PostgreSQL; recall is the net."""
        deadline = time.monotonic() + _INSIST_SECONDS
        while True:
            try:
                return await attempt()
            except Unavailable:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.5)
