"""Rules of queues and jobs: what administrators see of them and do with them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from api.context import Call
from ops.metrics import Metrics
from storage.backlog import (
    JobDetails,
    JobSummary,
    QueueNotFound,
    QueueState,
    Selection,
    desk,
    orders,
)
from storage.backlog.orders import Deed, Order
from storage.database import Database
from storage.jobs import queues
from storage.pages import Page, Window
from storage.processes import Process, alive
from storage.quarantine import QuarantinedMessage
from storage.redis import Redis, RedisAway
from storage.repositories import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """An order over many jobs."""

    selection: Selection
    limit: int | None
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffedQueue:
    """A queue, and how many worker processes serve it; None while Redis does not tell."""

    state: QueueState
    workers: int | None


class QueueService:
    """Shows queues and messages nobody could read, holds queues and releases them."""

    def __init__(self, *, database: Database, redis: Redis, metrics: Metrics) -> None:
        self._database = database
        self._redis = redis
        self._metrics = metrics

    async def all(self) -> list[StaffedQueue]:
        """Return every queue of the catalogue."""
        async with self._database.reading() as storage:
            states = await storage.backlog.queues()
        return await self._staffed(states)

    async def hold(self, queue: str, reason: str, call: Call) -> StaffedQueue:
        """Keep a queue's jobs back; a second time nothing happens. Raises QueueNotFound."""
        return await self._changed(queue, call, "held", reason)

    async def release(self, queue: str, reason: str, call: Call) -> StaffedQueue:
        """Let a queue run again; nothing happens if it is not held. Raises QueueNotFound."""
        return await self._changed(queue, call, "released", reason)

    async def messages(self, window: Window) -> Page[QuarantinedMessage]:
        """List messages in quarantine."""
        async with self._database.reading() as storage:
            return await storage.quarantine.page(window)

    async def delete_message(self, message_id: UUID, call: Call) -> None:
        """Delete a message in quarantine; raise MessageNotFound."""
        async with self._database.transaction(call.actor) as storage:
            queue = await storage.quarantine.remove(message_id)
            await storage.audit.note("quarantine.message_deleted", subject=message_id, queue=queue)

    async def _changed(self, queue: str, call: Call, change: str, reason: str) -> StaffedQueue:
        if queue not in queues():
            raise QueueNotFound
        alter = desk.hold if change == "held" else desk.release
        async with self._database.transaction(call.actor) as storage:
            altered = await alter(storage, queue, reason)
            states = await storage.backlog.queues()
        if altered:
            self._metrics.job_changes.labels(change).inc()
        return (await self._staffed([state for state in states if state.queue == queue]))[0]

    async def _staffed(self, states: Sequence[QueueState]) -> list[StaffedQueue]:
        try:
            processes: list[Process] | None = await alive(self._redis)
        except RedisAway:
            processes = None
        return [StaffedQueue(state=state, workers=_serving(state, processes)) for state in states]


def _serving(state: QueueState, processes: list[Process] | None) -> int | None:
    if processes is None:
        return None
    return sum(state.queue in process.queues for process in processes)


class JobService:
    """Shows jobs; retries, discards and replays one or many."""

    def __init__(self, *, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics

    async def page(self, window: Window) -> Page[JobSummary]:
        """List jobs."""
        async with self._database.reading() as storage:
            return await storage.backlog.page(window)

    async def get(self, job_id: UUID) -> JobDetails:
        """Return a job with its body; raise JobNotFound."""
        async with self._database.reading() as storage:
            return await storage.backlog.by_id(job_id)

    async def retry(self, job_id: UUID, call: Call) -> JobDetails:
        """Make a job due now; raise JobNotFound, WrongState, PromisedAlready."""
        return await self._done(desk.retry, job_id, call, "retried")

    async def discard(self, job_id: UUID, call: Call) -> JobDetails:
        """Give a job up; raise JobNotFound, WrongState."""
        return await self._done(desk.discard, job_id, call, "discarded")

    async def replay(self, job_id: UUID, call: Call, *, even_if_done: bool) -> JobDetails:
        """Promise a finished job once more; return the new one, the same for the same key.

        Raises JobNotFound, WrongState, PromisedAlready.
        """
        if call.claim and call.claim.result:
            return await self.get(UUID(call.claim.result["id"]))
        act = desk.replay_again if even_if_done else desk.replay
        return await self._done(act, job_id, call, "replayed")

    async def order(self, deed: Deed, bulk: Bulk, call: Call) -> Order:
        """Promise to do it to many jobs, or only count them; raise NotSelectable."""
        if call.claim and call.claim.result:
            kept = call.claim.result
            return Order(id=UUID(kept["id"]) if kept["id"] else None, matched=int(kept["matched"]))
        act = orders.count if bulk.dry_run else orders.place
        async with self._database.transaction(call.actor) as storage:
            found = await act(storage, deed, bulk.selection, limit=bulk.limit)
            kept_id = str(found.id) if found.id else ""
            await storage.idempotency.keep({"id": kept_id, "matched": str(found.matched)})
            return found

    async def _done(
        self,
        act: Callable[[Storage, UUID], Awaitable[JobDetails]],
        job_id: UUID,
        call: Call,
        change: str,
    ) -> JobDetails:
        async with self._database.transaction(call.actor) as storage:
            job = await act(storage, job_id)
            await storage.idempotency.keep({"id": job.id})
        self._metrics.job_changes.labels(change).inc()
        return job
