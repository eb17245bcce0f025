"""Orders over many jobs, carried out in batches; each batch is one transaction and one event.

What a batch has done, and how far the order is by it, is committed together: after a kill the next
worker goes on from there.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from ops.errors import Unavailable
from ops.logging import get_logger
from storage.actor import Actor, ActorKind
from storage.backlog import Backlog, Chosen
from storage.backlog.orders import selection_of
from storage.jobs import DiscardJobs, OverMany, ReplayJobs, RetryJobs
from storage.outbox import Promise
from storage.repositories import Storage
from workers.actor import actor
from workers.toolbox import Tools

_BATCH = 500
# A queue with more that is due gets no more for now: others have their turn in between.
_ENOUGH = 1_000
_FIRST = UUID(int=0)

_log = get_logger()


class TakenOver(Exception):  # noqa: N818 - read as a sentence where it is raised
    """Another worker has the order; it goes on from what was committed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deed:
    """What an order does to each batch, and what the audit trail calls it."""

    event: str
    metric: str
    choose: Callable[..., Awaitable[list[Chosen]]]
    # Returns to how many jobs of a batch it was done.
    act: Callable[[Backlog, Sequence[UUID], UUID], Awaitable[int]]
    fills_queues: bool
    # Jobs that it was done to are out of the selection, so that a second walk finds the rest.
    leaves_selection: bool


async def _retry(backlog: Backlog, ids: Sequence[UUID], _: UUID) -> int:
    return await backlog.retry(ids)


async def _discard(backlog: Backlog, ids: Sequence[UUID], _: UUID) -> int:
    return await backlog.discard(ids)


async def _replay(backlog: Backlog, ids: Sequence[UUID], order: UUID) -> int:
    return await backlog.replay_many(ids, order=order)


_RETRY = _Deed(
    event="jobs.retried",
    metric="retried",
    choose=Backlog.choose_free,
    act=_retry,
    fills_queues=True,
    leaves_selection=True,
)
_DISCARD = _Deed(
    event="jobs.discarded",
    metric="discarded",
    choose=Backlog.choose_free,
    act=_discard,
    fills_queues=False,
    leaves_selection=True,
)
_REPLAY = _Deed(
    event="jobs.replayed",
    metric="replayed",
    choose=Backlog.choose,
    act=_replay,
    fills_queues=True,
    leaves_selection=False,
)


@actor(RetryJobs)
async def retry_jobs(job: RetryJobs, promise: Promise, tools: Tools) -> None:
    """Retry a selection; raise Unavailable, which has it go on a second later."""
    await _Order(job, promise, tools).carry_out(_RETRY)


@actor(DiscardJobs)
async def discard_jobs(job: DiscardJobs, promise: Promise, tools: Tools) -> None:
    """Discard a selection."""
    await _Order(job, promise, tools).carry_out(_DISCARD)


@actor(ReplayJobs)
async def replay_jobs(job: ReplayJobs, promise: Promise, tools: Tools) -> None:
    """Replay a selection; raise Unavailable, which has it go on a second later."""
    await _Order(job, promise, tools).carry_out(_REPLAY)


class _Order:
    """One try of an order."""

    def __init__(self, job: OverMany, promise: Promise, tools: Tools) -> None:
        self._promise = promise
        self._tools = tools
        self._selection = selection_of(job, promised=promise.created_at)
        self._limit = job.limit
        self._done = 0
        self._total = 0
        self._actor = Actor(kind=ActorKind.SYSTEM, request_id=promise.request_id)

    async def carry_out(self, deed: _Deed) -> None:
        """Do it to the whole selection, or to as many as are wanted."""
        await self._begin()
        done = await self._walk(deed)
        while done and deed.leaves_selection:  # who was locked in the first walk is met in the next
            done = await self._walk(deed)
        _log.info("order carried out", event_name=deed.event, jobs=self._done)

    async def _begin(self) -> None:
        """Learn how far an earlier try came."""
        async with self._tools.database.transaction() as storage:
            order = await storage.backlog.by_id(self._promise.id)
            self._done = order.progress_done or 0
            if order.progress_total is not None:
                self._total = order.progress_total
                return
            matched = await storage.backlog.matched(self._selection)
            self._total = matched if self._limit is None else min(matched, self._limit)
            await self._tell(storage)

    async def _walk(self, deed: _Deed) -> int:
        """Walk through the selection once; return to how many jobs it was done."""
        before, after = self._done, _FIRST
        while size := self._wanted():
            async with self._tools.database.transaction(self._actor) as storage:
                chosen = await deed.choose(
                    storage.backlog, self._selection, after=after, limit=size
                )
                if not chosen:
                    break
                if deed.fills_queues:
                    await _check_room(storage, chosen)
                done = await self._do(deed, storage, chosen)
            self._tools.metrics.job_changes.labels(deed.metric).inc(done)
            after = chosen[-1].id
        return self._done - before

    async def _do(self, deed: _Deed, storage: Storage, chosen: Sequence[Chosen]) -> int:
        done = await deed.act(storage.backlog, [job.id for job in chosen], self._promise.id)
        if done:
            await storage.audit.note(deed.event, subject=self._promise.id, count=done)
        self._done += done
        # The last thing of all: until the commit nobody can renew the order's lease.
        await self._tell(storage)
        return done

    async def _tell(self, storage: Storage) -> None:
        if not await storage.outbox.progress(self._promise, done=self._done, total=self._total):
            raise TakenOver

    def _wanted(self) -> int:
        if self._limit is None:
            return _BATCH
        return min(_BATCH, max(self._limit - self._done, 0))


async def _check_room(storage: Storage, chosen: Sequence[Chosen]) -> None:
    """Raise Unavailable, which rolls the batch back before anything was done."""
    names = sorted({job.queue for job in chosen})
    if full := await storage.backlog.crowded(names, limit=_ENOUGH):
        raise Unavailable(f"{', '.join(full)}: more than {_ENOUGH:,} jobs are due; waiting")
