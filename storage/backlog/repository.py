"""Promises as administrators handle them. What may be done in which state is said in `desk`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg

from ops.ids import new_id
from ops.tracing import trace_parent
from storage.actor import Actor
from storage.backlog.listing import COLUMNS, IN_STATE, LISTS
from storage.backlog.records import (
    Chosen,
    JobDetails,
    JobNotFound,
    JobState,
    JobSummary,
    PromisedAlready,
    QueueState,
    Selection,
)
from storage.jobs import queues
from storage.pages import Page, Window, fetch_page, fetch_planned

BY_ID = f"""
SELECT {COLUMNS}, outbox.body, letters.state AS letter_state, letters.answer AS letter_answer
FROM outbox LEFT JOIN letters ON letters.id = outbox.id
WHERE outbox.id = $1
"""  # noqa: S608 - only our own constants are put in

LOCK = f"{BY_ID} FOR UPDATE OF outbox"

# Each part reads one partial index, none reads what was done before the last five minutes.
QUEUES = """
SELECT queue,
    count(*) FILTER (WHERE NOT running AND state = 'pending' AND due)::integer AS pending,
    count(*) FILTER (WHERE NOT running AND NOT due)::integer AS delayed,
    count(*) FILTER (WHERE NOT running AND state = 'handed_over')::integer AS handed_over,
    count(*) FILTER (WHERE running)::integer AS running,
    extract(epoch FROM now() - min(available_at) FILTER (WHERE NOT running AND due))::float8
        AS oldest_seconds
FROM (
    SELECT queue, state, available_at, coalesce(run_until > now(), false) AS running,
        available_at <= now() AS due
    FROM outbox WHERE state = 'pending'
    UNION ALL
    SELECT queue, state, available_at, coalesce(run_until > now(), false), true
    FROM outbox WHERE state = 'handed_over'
) AS alive
GROUP BY queue
"""

DEAD = "SELECT queue, count(*)::integer AS dead FROM outbox WHERE state = 'dead' GROUP BY queue"

RECENT = """
SELECT queue, count(*) FILTER (WHERE state = 'done')::integer AS done_recently,
    count(*) FILTER (WHERE state = 'dead')::integer AS died_recently
FROM outbox
WHERE state IN ('done', 'dead', 'discarded') AND finished_at > now() - interval '5 minutes'
GROUP BY queue
"""

PAUSES = """
SELECT queue, created_at AS paused_since, reason AS paused_reason, held FROM queue_pauses
"""

# The states are asked for once more: of many, some may have gone on since they were chosen.
RETRY = """
UPDATE outbox SET state = 'pending', available_at = now(), attempts = 0, crashes = 0,
    holder = NULL, run_until = NULL, handed_at = NULL, finished_at = NULL, updated_at = now()
WHERE id = ANY($1::uuid[]) AND (
    state IN ('dead', 'discarded')
    OR state = 'pending' AND available_at > clock_timestamp()
    AND (run_until IS NULL OR run_until <= now())
)
RETURNING id
"""

DISCARD = """
UPDATE outbox SET state = 'discarded', finished_at = now(), holder = NULL, run_until = NULL,
    updated_at = now()
WHERE id = ANY($1::uuid[]) AND (
    state = 'dead'
    OR state IN ('pending', 'handed_over') AND (run_until IS NULL OR run_until <= now())
)
RETURNING id
"""

REPLAY = """
INSERT INTO outbox (id, queue, name, body, request_id, urgency, replay_of, trace_parent)
SELECT $2, queue, name, body, $3, urgency, id, $4 FROM outbox
WHERE id = $1 AND state IN ('done', 'dead', 'discarded')
RETURNING id
"""

# The new id follows from the order's and the old one, so that an order that is worked on twice
# repeats nothing twice; its first 48 bits are the order's, so that it sorts as a UUIDv7 does.
REPLAY_MANY = """
INSERT INTO outbox (id, queue, name, body, request_id, urgency, replay_of)
SELECT (left(replace($2::uuid::text, '-', ''), 12) || '7' || left(digest, 3)
        || '8' || right(digest, 15))::uuid,
    queue, name, body, $3, 2, id
FROM (
    SELECT outbox.*, md5($2::uuid::text || id::text) AS digest FROM outbox
    WHERE id = ANY($1::uuid[]) AND state IN ('done', 'dead', 'discarded')
) AS old
ON CONFLICT (id) DO NOTHING
RETURNING id
"""

# Orders are not among what they are given over, and of sealing one promise at a time is enough.
_CHOSEN = """
    ($1::text IS NULL OR queue = $1) AND ($2::text IS NULL OR name = $2)
    AND ($3::text IS NULL OR strpos(lower(last_error), lower($3)) > 0)
    AND ($4::timestamptz IS NULL OR created_at >= $4)
    AND ($5::timestamptz IS NULL OR created_at < $5)
    AND ($6::timestamptz IS NULL OR updated_at < $6)
    AND name NOT IN ('maintenance.retry_jobs', 'maintenance.discard_jobs',
        'maintenance.replay_jobs', 'audit.seal')
"""

COUNT_CHOSEN: Mapping[JobState, str] = {
    state: f"SELECT count(*) FROM outbox WHERE {condition} AND {_CHOSEN}"  # noqa: S608
    for state, condition in IN_STATE.items()
}

CHOOSE: Mapping[JobState, str] = {
    state: f"SELECT id, queue FROM outbox WHERE {condition} AND {_CHOSEN}"  # noqa: S608
    " AND id > $7 ORDER BY id LIMIT $8"
    for state, condition in IN_STATE.items()
}

# A relay or a worker at one of them is not waited for.
CHOOSE_FREE: Mapping[JobState, str] = {
    state: f"{statement} FOR UPDATE SKIP LOCKED" for state, statement in CHOOSE.items()
}

CROWDED = """
SELECT wanted FROM unnest($1::text[]) AS wanted
WHERE (
    SELECT count(*) FROM (
        SELECT FROM outbox WHERE queue = wanted AND state = 'pending' AND available_at <= now()
        LIMIT $2 + 1
    ) AS due
) > $2
"""


class Backlog:
    """Jobs on their way and past."""

    def __init__(self, connection: Any, actor: Actor | None) -> None:
        self._connection = connection
        self._actor = actor
        self.promised = False

    async def queues(self) -> list[QueueState]:
        """Return every queue of the catalogue, by name."""
        found: dict[str, dict[str, Any]] = {name: {} for name in queues()}
        for statement in (QUEUES, DEAD, RECENT, PAUSES):
            for row in await self._connection.fetch(statement):
                found.setdefault(row["queue"], {}).update(row)
        return [QueueState(**{**facts, "queue": name}) for name, facts in sorted(found.items())]

    async def page(self, window: Window) -> Page[JobSummary]:
        """Return a part of the list.

        Filters: `state`, `queue`, `job`, `requestId`, and `error` for what is found in it.
        """
        filters = dict(window.filters)
        state = filters.pop("state", None)
        window = replace(window, filters=filters)
        return await fetch_page(self._connection, LISTS[state], window, JobSummary)

    async def by_id(self, job_id: UUID) -> JobDetails:
        """Return a job, or raise JobNotFound."""
        return await self._one(BY_ID, job_id)

    async def lock(self, job_id: UUID) -> JobDetails:
        """Return a job as it stays until the transaction ends; raise JobNotFound."""
        return await self._one(LOCK, job_id)

    async def retry(self, ids: Sequence[UUID]) -> int:
        """Make dead, discarded and delayed jobs due now, as if never tried; return how many.

        Raises PromisedAlready for a job of which one at a time is enough.
        """
        try:
            rows = await self._connection.fetch(RETRY, list(ids))
        except asyncpg.UniqueViolationError as error:
            raise PromisedAlready from error
        self.promised = self.promised or bool(rows)
        return len(rows)

    async def discard(self, ids: Sequence[UUID]) -> int:
        """Give up jobs that nobody works on and that are not done; return how many."""
        return len(await self._connection.fetch(DISCARD, list(ids)))

    async def replay(self, job_id: UUID) -> UUID:
        """Promise a finished job's work once more; return the new job's id.

        Raises PromisedAlready for a job of which one at a time is enough.
        """
        try:
            made: UUID = await self._connection.fetchval(
                REPLAY,
                job_id,
                new_id(),
                self._actor.request_id if self._actor else None,
                trace_parent(),
            )
        except asyncpg.UniqueViolationError as error:
            raise PromisedAlready from error
        self.promised = True
        return made

    async def replay_many(self, ids: Sequence[UUID], *, order: UUID) -> int:
        """Promise finished jobs' work once more, once per order; return how many were new."""
        request_id = self._actor.request_id if self._actor else None
        rows = await self._connection.fetch(REPLAY_MANY, list(ids), order, request_id)
        self.promised = self.promised or bool(rows)
        return len(rows)

    async def matched(self, selection: Selection) -> int:
        """Count the jobs of a selection."""
        statement = COUNT_CHOSEN[selection.state]
        [row] = await fetch_planned(
            self._connection, statement, _facts(selection), operation="backlog.count_chosen"
        )
        return int(row["count"])

    async def choose(self, selection: Selection, *, after: UUID, limit: int) -> list[Chosen]:
        """Return jobs of a selection by id, from behind `after` on."""
        return await self._chosen(CHOOSE, selection, after, limit)

    async def choose_free(self, selection: Selection, *, after: UUID, limit: int) -> list[Chosen]:
        """Return the same, without those that are being changed now; the others are locked."""
        return await self._chosen(CHOOSE_FREE, selection, after, limit)

    async def crowded(self, names: Sequence[str], *, limit: int) -> list[str]:
        """Return which of these queues have more than `limit` jobs that are due."""
        rows = await self._connection.fetch(CROWDED, list(names), limit)
        return [row["wanted"] for row in rows]

    async def _one(self, statement: str, job_id: UUID) -> JobDetails:
        row = await self._connection.fetchrow(statement, job_id)
        if row is None:
            raise JobNotFound
        return JobDetails(**row)

    async def _chosen(
        self, statements: Mapping[JobState, str], selection: Selection, after: UUID, limit: int
    ) -> list[Chosen]:
        facts = (*_facts(selection), after, limit)
        statement = statements[selection.state]
        rows = await fetch_planned(self._connection, statement, facts, operation="backlog.choose")
        return [Chosen(row["id"], row["queue"]) for row in rows]


def _facts(selection: Selection) -> tuple[Any, ...]:
    return (
        selection.queue,
        selection.job,
        selection.error_contains,
        selection.since,
        selection.before,
        selection.untouched_since,
    )
