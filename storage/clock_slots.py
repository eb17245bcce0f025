"""Slots of periodic work: a slot and its promise are made together, so one of each, ever.

Whether a slot has come is judged by PostgreSQL's clock in the very statement that takes it: a
machine whose clock is wrong, or a process that was frozen, takes none that is not the latest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from ops import tracing
from ops.ids import new_id
from storage.actor import Actor
from storage.jobs import Job, body_of

NOW = "SELECT clock_timestamp()"

# Locks the task's row until the end of the transaction: whoever promises it, one after the other.
LOCK = """
INSERT INTO clock_tasks (task) VALUES ($1)
ON CONFLICT (task) DO UPDATE SET updated_at = now()
"""

OPEN = """
SELECT outbox.id FROM clock_tasks JOIN outbox ON outbox.id = clock_tasks.promise_id
WHERE clock_tasks.task = $1 AND outbox.state IN ('pending', 'handed_over')
"""

# Several clocks note the same success; whoever meets a locked row leaves it to who locked it.
NOTE_SUCCESSES = """
UPDATE clock_tasks SET
    succeeded_at = outbox.finished_at,
    seconds = extract(epoch FROM outbox.finished_at - outbox.started_at),
    updated_at = now()
FROM outbox
WHERE outbox.id = clock_tasks.promise_id AND outbox.state = 'done'
  AND clock_tasks.succeeded_at IS DISTINCT FROM outbox.finished_at
  AND clock_tasks.task IN (
    SELECT task FROM clock_tasks WHERE task = coalesce($1, task) FOR UPDATE SKIP LOCKED
  )
"""

PROMISE = """
WITH slot AS (
    INSERT INTO clock_slots (task, slot, promise_id)
    SELECT $1, $2, $3 WHERE $2 <= statement_timestamp() AND statement_timestamp() < $4
    ON CONFLICT DO NOTHING
    RETURNING promise_id
), newest AS (
    UPDATE clock_tasks SET promise_id = slot.promise_id FROM slot WHERE clock_tasks.task = $1
)
INSERT INTO outbox (id, queue, name, body, trace_parent)
SELECT promise_id, $5, $1, $6, $7 FROM slot
RETURNING id
"""

TAKEN = "SELECT EXISTS (SELECT FROM clock_slots WHERE task = $1 AND slot = $2)"

RUN_NOW = """
WITH newest AS (UPDATE clock_tasks SET promise_id = $2 WHERE task = $1)
INSERT INTO outbox (id, queue, name, body, request_id, urgency, trace_parent)
VALUES ($2, $3, $1, $4, $5, 0, $6)
"""

HASTEN = """
UPDATE outbox SET urgency = 0, available_at = least(available_at, now()), updated_at = now()
WHERE id = $1 AND state = 'pending'
"""

LOOK = """
SELECT wanted.task AS name, newest.slot AS last_slot, clock_tasks.created_at AS known_since,
    CASE WHEN outbox.state = 'done' THEN outbox.finished_at ELSE clock_tasks.succeeded_at END
        AS last_success,
    CASE WHEN outbox.state = 'done'
        THEN extract(epoch FROM outbox.finished_at - outbox.started_at)::float8
        ELSE clock_tasks.seconds END AS last_seconds,
    clock_tasks.promise_id AS job_id, outbox.state, outbox.last_error AS error
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (task, place)
LEFT JOIN clock_tasks ON clock_tasks.task = wanted.task
LEFT JOIN outbox ON outbox.id = clock_tasks.promise_id
LEFT JOIN LATERAL (
    SELECT slot FROM clock_slots WHERE clock_slots.task = wanted.task ORDER BY slot DESC LIMIT 1
) AS newest ON true
ORDER BY wanted.place
"""

ENDING = """
SELECT state, last_error AS error, extract(epoch FROM finished_at - started_at)::float8 AS seconds
FROM outbox WHERE id = $1
"""

PURGE = """
DELETE FROM clock_slots WHERE (task, slot) IN (
    SELECT task, slot FROM clock_slots WHERE slot < now() - make_interval(days => $1) LIMIT $2
)
"""


class Taken(StrEnum):
    """What became of an attempt to take a slot."""

    PROMISED = "promised"
    # Another clock was first.
    BEFORE = "before"
    # The task's promise before is still open, or the slot is not the latest: look again.
    NOT_YET = "not_yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState:
    """How a task stands; None for what never was."""

    name: str
    last_slot: datetime | None
    # When a clock first saw it.
    known_since: datetime | None
    last_success: datetime | None
    # How long the newest success worked.
    last_seconds: float | None
    # Its newest promise, that promise's state (None once it is purged) and last error.
    job_id: UUID | None
    state: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Run:
    """The promise that runs a task now, and whether it was made for it or found open."""

    job_id: UUID
    made: bool


@dataclass(frozen=True, slots=True)
class JobEnding:
    """How a job ended, or what it is about; no state when its row is gone."""

    state: str | None
    error: str | None
    seconds: float | None

    @property
    def over(self) -> bool:
        """Whether nobody will work on it any more."""
        return self.state not in {"pending", "handed_over"}


class ClockSlots:
    """Hours that have come, however many clocks look."""

    def __init__(self, connection: Any, actor: Actor | None) -> None:
        self._connection = connection
        self._actor = actor
        self.promised = False

    async def now(self) -> datetime:
        """Return the time that slots are judged by."""
        moment: datetime = await self._connection.fetchval(NOW)
        return moment

    async def promise(
        self, job: Job, slot: datetime, *, until: datetime, trace_parent: str | None = None
    ) -> Taken:
        """Promise the job for this slot, which is the latest before `until`, in a transaction.

        Never while the task's promise before is open: what piles up is made up for once.
        """
        if await self._locked(job):
            return Taken.NOT_YET
        made = await self._connection.fetchval(
            PROMISE, job.name, slot, new_id(), until, job.queue, body_of(job), trace_parent
        )
        if made:
            self.promised = True
            return Taken.PROMISED
        before = await self._connection.fetchval(TAKEN, job.name, slot)
        return Taken.BEFORE if before else Taken.NOT_YET

    async def run_now(self, job: Job) -> Run:
        """Promise the job outside its slots, in a transaction; hasten the open promise, if any."""
        self.promised = True
        if open_id := await self._locked(job):
            await self._connection.execute(HASTEN, open_id)
            return Run(open_id, made=False)
        job_id = new_id()
        request_id = self._actor.request_id if self._actor else None
        await self._connection.execute(
            RUN_NOW,
            job.name,
            job_id,
            job.queue,
            body_of(job),
            request_id,
            tracing.trace_parent(),
        )
        return Run(job_id, made=True)

    async def _locked(self, job: Job) -> UUID | None:
        """Lock the task, note its success before it is forgotten; return its open promise."""
        await self._connection.execute(LOCK, job.name)
        await self._connection.execute(NOTE_SUCCESSES, job.name)
        open_id: UUID | None = await self._connection.fetchval(OPEN, job.name)
        return open_id

    async def note_successes(self) -> None:
        """Remember the newest success of each task: the outbox forgets it."""
        await self._connection.execute(NOTE_SUCCESSES, None)

    async def ending(self, job_id: UUID) -> JobEnding:
        """Return how a job stands that runs a task."""
        row = await self._connection.fetchrow(ENDING, job_id)
        return JobEnding(*row.values()) if row else JobEnding(None, None, None)

    async def states(self, names: Sequence[str]) -> list[TaskState]:
        """Return how these tasks stand, in their order."""
        rows = await self._connection.fetch(LOOK, list(names))
        return [TaskState(**row) for row in rows]

    async def purge(self, *, days: int, limit: int) -> int:
        """Delete slots older than `days`; return how many."""
        return int((await self._connection.execute(PURGE, days, limit)).split()[-1])
