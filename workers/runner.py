"""Does one promise: claim it, keep the lease alive, do the job, settle or put back.

Every way a job can end is decided here and nowhere else.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from ops.errors import Unavailable
from ops.ids import new_id
from ops.logging import bound, get_logger, log_line
from storage.jobs import Job
from storage.outbox import Promise
from storage.repositories import Storage
from workers.actor import Work
from workers.insist import insist
from workers.merging import Merged
from workers.outcomes import GivenUp, LeftMidway, RefusedForNow, ServerAway, one_line
from workers.toolbox import Tools
from workers.traces import note_outcome, processing

T = TypeVar("T")

MAX_CRASHES = 3

# A letter over which its server stumbled so often no longer stands at the head of its queue.
_SUSPICIOUS = 3
_UNKNOWN_JOB_SECONDS = 60.0
_ERROR_LENGTH = 500
# Whoever ends so has had its answer: a queue that was paused runs again.
_ANSWERED = frozenset({"done", "dead", "retried"})

_log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds: a lease, how often it is renewed, how long an ending is tried to be written down."""

    lease: float = 15.0
    renew: float = 5.0
    insist: float = 60.0


class LeaseLost(Exception):  # noqa: N818 - read as a sentence where it is caught
    """Another worker has the promise now; whatever we did, it will do again under the same id."""


class WorkerVanished(Exception):  # noqa: N818 - read as a sentence where it is told
    """Every worker that took the job was gone before it was done: perhaps killed by it."""


class Interrupted(Exception):  # noqa: N818 - read as a sentence where it is caught
    """This worker stops; another one shall do the promise."""


class Runner:
    """Works on promises with the tools of one process."""

    def __init__(
        self,
        tools: Tools,
        works: Mapping[str, tuple[type[Job], Work[Any]]],
        timing: Timing | None = None,
    ) -> None:
        self._tools = tools
        self._works = works
        self._timing = timing or Timing()
        self._stopping = False
        self._doing: set[asyncio.Future[None]] = set()
        self._claims = Merged(self._claim)
        self._settlements = Merged(self._settle)

    async def run(self, promise_id: UUID) -> None:
        """Do the promise unless it is done, dead or in other hands; never raises for its sake."""
        try:
            promise = await self._claims.ask((promise_id, new_id()))
            if promise is None:
                return
            ids = bound(job=promise.name, job_id=str(promise.id), request_id=promise.request_id)
            with ids, processing(promise, self._tools.tracer):
                await self._observed(promise)
        except Unavailable as error:  # the message is lost, the promise is not: recall brings it
            _log.warning("database away, the promise will be recalled", reason=error.message)

    async def _claim(self, wanted: list[tuple[UUID, UUID]]) -> list[Promise | None]:
        async with self._tools.database.reading() as storage:
            taken = await storage.outbox.claim_runs(wanted, lease=self._timing.lease)
        ours = {promise.holder: promise for promise in taken}
        return [ours.get(holder) for _, holder in wanted]

    async def _settle(self, promises: list[Promise]) -> list[bool]:
        async with self._tools.database.reading() as storage:
            settled = await storage.outbox.settle_all(promises)
        return [promise.id in settled for promise in promises]

    def cancel(self) -> None:
        """Interrupt what is being done, now and from now on; it is put back for another worker."""
        self._stopping = True
        for doing in self._doing:
            doing.cancel()

    async def _observed(self, promise: Promise) -> None:
        metrics = self._tools.metrics
        waited = (datetime.now(UTC) - promise.available_at).total_seconds()
        metrics.job_wait.labels(promise.queue).observe(max(waited, 0.0))
        started = time.perf_counter()
        with metrics.jobs_in_progress.labels(promise.queue).track_inprogress():
            outcome = await self._outcome(promise)
        note_outcome(outcome)
        seconds = time.perf_counter() - started
        metrics.job_seconds.labels(promise.queue, promise.name).observe(seconds)
        metrics.jobs.labels(promise.queue, promise.name, outcome).inc()
        log_line(
            "job ended",
            category="application",
            level="info",
            outcome=outcome,
            milliseconds=round(seconds * 1000, 1),
        )
        if promise.paused and outcome in _ANSWERED:
            await self._write(lambda storage: storage.pauses.resume(promise.queue))

    async def _outcome(self, promise: Promise) -> str:
        if promise.name not in self._works:  # a release older than the promise, or a forged message
            return await self._put_back(promise, seconds=_UNKNOWN_JOB_SECONDS, error="no actor")
        if promise.crashes >= MAX_CRASHES:
            vanished = WorkerVanished(f"its worker vanished {promise.crashes} times")
            return await self._bury(promise, str(vanished), cause=vanished)
        if promise.overtaken:
            return await self._put_back(promise)
        return await self._tried(promise)

    async def _tried(self, promise: Promise) -> str:  # noqa: PLR0911 - each ending has its own
        try:
            await self._leased(promise)
        except asyncio.CancelledError:
            await asyncio.shield(self._put_back(promise))
            raise
        except Interrupted:
            return await self._put_back(promise)
        except LeaseLost:
            _log.warning("lease lost")
            return "lost"
        except GivenUp as error:
            return await self._bury(promise, str(error))
        except ServerAway as error:
            return await self._wait_for_server(promise, error)
        except Unavailable as error:
            return await self._put_back(promise, seconds=1, error=error.message)
        except Exception as error:  # noqa: BLE001 - whatever an actor raises ends here
            return await self._failed(promise, error)
        settled = await insist(lambda: self._settlements.ask(promise), seconds=self._timing.insist)
        return "done" if settled else "lost"

    async def _leased(self, promise: Promise) -> None:
        kind, work = self._works[promise.name]
        try:
            job = kind.from_body(promise.body)
        except (TypeError, ValueError) as error:
            raise GivenUp(f"its body is not one of {promise.name}: {error}") from error
        doing = asyncio.ensure_future(work(job, promise, self._tools))
        self._doing.add(doing)
        try:
            if self._stopping:
                raise Interrupted
            await self._until_done(doing, promise, kind.time_limit)
            if doing.cancelled():  # by us, or from within, and then the job failed
                raise Interrupted if self._stopping else RuntimeError("cancelled from within")
            doing.result()
        finally:
            self._doing.discard(doing)
            if not doing.done():
                doing.cancel()
                await asyncio.gather(doing, return_exceptions=True)

    async def _until_done(
        self, doing: asyncio.Future[None], promise: Promise, seconds: float
    ) -> None:
        """Wait for the job and keep its lease alive; raise TimeoutError or LeaseLost."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            await asyncio.wait({doing}, timeout=min(left, self._timing.renew))
            if doing.done():
                return
            if not await self._renewed(promise):
                raise LeaseLost
        raise TimeoutError(f"not done within {seconds:g} seconds")

    async def _renewed(self, promise: Promise) -> bool:
        """Keep the lease alive; a database that is away may be back before it ends."""
        with suppress(Unavailable):
            async with self._tools.database.reading() as storage:
                return await storage.outbox.renew(promise, lease=self._timing.lease)
        return True

    async def _failed(self, promise: Promise, error: Exception) -> str:
        kind, _ = self._works[promise.name]
        # What a server outside said is in the reason, and no error of ours.
        unexpected = None if isinstance(error, (RefusedForNow, ServerAway)) else error
        reason = f"{type(error).__name__}: {error}"
        if promise.attempts >= kind.max_attempts:
            return await self._bury(promise, reason, cause=unexpected)
        doublings = min(promise.attempts - 1, 60)
        ceiling = min(kind.first_backoff * 2**doublings, kind.longest_backoff)
        seconds = random.uniform(ceiling / 2, ceiling)  # noqa: S311 - jitter
        _log.warning(
            "job failed, will be tried again",
            seconds=round(seconds, 1),
            reason=one_line(reason, _ERROR_LENGTH),
            exc_info=unexpected,
        )
        self._tools.metrics.job_retries.labels(promise.queue, promise.name).inc()
        return await self._put_back(
            promise, outcome="retried", seconds=seconds, counted=True, error=reason
        )

    async def _wait_for_server(self, promise: Promise, error: ServerAway) -> str:
        reason = one_line(str(error), _ERROR_LENGTH)
        _log.warning("server away, the queue waits", queue=promise.queue, reason=reason)
        suspect = isinstance(error, LeftMidway)
        if suspect and promise.attempts >= _SUSPICIOUS:  # by now it is the letter: others go on
            ended = await self._failed(promise, error)
            return "waiting" if ended == "retried" else ended
        await self._write(lambda storage: storage.pauses.pause(promise.queue, reason))
        return await self._put_back(promise, counted=suspect, error=reason)

    async def _put_back(
        self,
        promise: Promise,
        *,
        outcome: str = "waiting",
        seconds: float = 0,
        counted: bool = False,
        error: str | None = None,
    ) -> str:
        reason = error and one_line(error, _ERROR_LENGTH)
        await self._write(
            lambda storage: storage.outbox.put_back(
                promise, seconds=seconds, counted=counted, error=reason
            )
        )
        return outcome

    async def _bury(self, promise: Promise, error: str, *, cause: Exception | None = None) -> str:
        reason = one_line(error, _ERROR_LENGTH)
        _log.error("job given up", reason=reason, exc_info=cause)
        await self._write(lambda storage: storage.outbox.bury(promise, reason))
        return "dead"

    async def _write(self, change: Callable[[Storage], Awaitable[T]]) -> T:
        async def attempt() -> T:
            async with self._tools.database.reading() as storage:
                return await change(storage)

        return await insist(attempt, seconds=self._timing.insist)
