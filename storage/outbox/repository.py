"""Promises in the database: made, handed over, worked on, struck out.

A promise is *pending* until the relay hands it to the broker, *handed over* until a worker settles
it, then *done*; what cannot be done is *dead*, and stays to be seen and replayed.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from ops.ids import new_id
from storage.actor import Actor
from storage.jobs import Job, Urgency, body_of
from storage.outbox.records import Depth, Due, OutsideTransaction, Promise, Room, Unsettled
from storage.outbox.traces import creating

PUT = """
INSERT INTO outbox (id, queue, name, body, request_id, available_at, urgency, trace_parent)
VALUES ($1, $2, $3, $4, $5, coalesce($6, now()), $7, $8)
"""

# A jump from lane to lane along the index, however much is pending in each.
_LANES = """lanes AS (
    (SELECT queue, urgency FROM outbox WHERE state = 'pending' ORDER BY queue, urgency LIMIT 1)
    UNION ALL
    SELECT following.queue, following.urgency FROM lanes CROSS JOIN LATERAL (
        SELECT queue, urgency FROM outbox
        WHERE state = 'pending' AND (queue, urgency) > (lanes.queue, lanes.urgency)
        ORDER BY queue, urgency
        LIMIT 1
    ) AS following
)"""

# One queue's backlog hides no other queue, and bulk hides nothing: the relay takes the oldest of
# each lane (a queue and an urgency), as many as the broker has room for. Locked rows belong to
# another relay. What it takes counts as handed over at once: should the relay die before the broker
# has them, they are recalled. A paused queue lets its first promise out as a probe, unless an
# administrator holds it: who moves `until` sends it, so that two relays send one. The array at the
# end keeps the planner from reading the whole table: it cannot know how few these are. Nobody waits
# for the disk: should PostgreSQL forget a claim in a crash, the promise is pending, and goes again.
CLAIM_DUE = f"""
WITH RECURSIVE {_LANES}, rooms AS (
    SELECT queue, urgency, room
    FROM unnest($1::text[], $2::smallint[], $3::integer[]) AS given (queue, urgency, room)
), put_off AS (
    UPDATE queue_pauses SET until = now() + interval '15 seconds', updated_at = now()
    WHERE until < now() AND NOT held AND EXISTS (
        SELECT FROM outbox
        WHERE outbox.queue = queue_pauses.queue AND state = 'pending' AND available_at <= now()
    )
    RETURNING queue
), due AS (
    SELECT oldest.id FROM lanes LEFT JOIN rooms USING (queue, urgency) CROSS JOIN LATERAL (
        SELECT id FROM outbox
        WHERE state = 'pending' AND outbox.queue = lanes.queue AND outbox.urgency = lanes.urgency
          AND available_at <= now()
        ORDER BY available_at, id
        LIMIT least($4::integer, coalesce(rooms.room, $4::integer))
        FOR UPDATE SKIP LOCKED
    ) AS oldest
    WHERE lanes.queue NOT IN (SELECT queue FROM queue_pauses)
), probes AS (
    SELECT first.id FROM put_off CROSS JOIN LATERAL (
        SELECT id FROM outbox
        WHERE state = 'pending' AND outbox.queue = put_off.queue AND available_at <= now()
        ORDER BY urgency, available_at, id
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    ) AS first
), moved AS (
    UPDATE outbox SET state = 'handed_over', handed_at = now(), updated_at = now()
    WHERE id = ANY(ARRAY(SELECT id FROM due UNION ALL SELECT id FROM probes))
      AND (SELECT set_config('synchronous_commit', 'off', true)) = 'off'
    RETURNING id, queue, name, urgency, trace_parent, available_at
)
SELECT id, queue, name, urgency, trace_parent FROM moved ORDER BY urgency, available_at, id
"""  # noqa: S608 - only our own constant is put in

UNSETTLED = """
SELECT id, queue, urgency, handed_at, handed_at < now() - interval '5 minutes' AS old FROM outbox
WHERE state = 'handed_over' AND handed_at < now() - make_interval(secs => $1)
  AND (run_until IS NULL OR run_until < now())
  AND (handed_at, id) > ($2, $3)
ORDER BY handed_at, id
LIMIT $4
"""

RECALL = """
UPDATE outbox SET state = 'pending', handed_at = NULL, updated_at = now()
WHERE id = ANY($1::uuid[]) AND state = 'handed_over'
  AND (run_until IS NULL OR run_until < now())
"""

# A holder whose lease ran out vanished at work: that is a crash. The third one ends the promise.
# A second copy of a message must not cut a back-off short. What was handed over before its queue
# was paused, or recalled since, is overtaken by the pause: who claims it leaves it, in its order;
# of a queue that is held nothing is done at all. Rows are locked in one order, whoever claims.
# Nobody waits for the disk: the next commit that does, and a letter's row is one, takes the claim
# with it; a claim that a crash of PostgreSQL forgot before that was of a job without an effect.
CLAIM_RUN = """
WITH free AS (
    SELECT id FROM outbox
    WHERE id = ANY($1::uuid[]) AND (run_until IS NULL OR run_until < now())
      AND (state = 'handed_over' OR state = 'pending' AND available_at <= now())
    ORDER BY id
    FOR UPDATE
)
UPDATE outbox SET
    holder = wanted.holder,
    run_until = now() + make_interval(secs => $3),
    started_at = now(),
    attempts = attempts + 1,
    crashes = crashes + CASE WHEN outbox.holder IS NULL THEN 0 ELSE 1 END,
    updated_at = now()
FROM unnest($1::uuid[], $2::uuid[]) AS wanted (id, holder) JOIN free USING (id)
WHERE outbox.id = wanted.id AND (SELECT set_config('synchronous_commit', 'off', true)) = 'off'
RETURNING outbox.id, outbox.holder, queue, name, body, request_id, attempts, crashes,
    created_at, available_at, trace_parent,
    EXISTS (SELECT FROM queue_pauses WHERE queue_pauses.queue = outbox.queue) AS paused,
    EXISTS (
        SELECT FROM queue_pauses
        WHERE queue_pauses.queue = outbox.queue
          AND (held OR handed_at IS NULL OR handed_at < queue_pauses.created_at)
    ) AS overtaken
"""

RENEW = """
UPDATE outbox SET run_until = now() + make_interval(secs => $3), updated_at = now()
WHERE id = $1 AND holder = $2 AND state IN ('pending', 'handed_over')
RETURNING true
"""

PROGRESS = """
UPDATE outbox SET progress_done = $3, progress_total = $4, updated_at = now()
WHERE id = $1 AND holder = $2 AND state IN ('pending', 'handed_over')
RETURNING true
"""

SETTLE = """
UPDATE outbox SET state = 'done', finished_at = now(), run_until = NULL, last_error = NULL,
    updated_at = now()
FROM unnest($1::uuid[], $2::uuid[]) AS mine (id, holder)
WHERE outbox.id = mine.id AND outbox.holder = mine.holder AND state IN ('pending', 'handed_over')
RETURNING outbox.id
"""

PUT_BACK = """
UPDATE outbox SET state = 'pending', holder = NULL, run_until = NULL,
    handed_at = NULL, available_at = CASE WHEN $3 > 0
        THEN now() + make_interval(secs => $3) ELSE available_at END,
    attempts = attempts - CASE WHEN $4 THEN 0 ELSE 1 END,
    last_error = coalesce($5, last_error), updated_at = now()
WHERE id = $1 AND holder = $2 AND state IN ('pending', 'handed_over')
RETURNING true
"""

BURY = """
UPDATE outbox SET state = 'dead', finished_at = now(), run_until = NULL, last_error = $3,
    updated_at = now()
WHERE id = $1 AND holder = $2 AND state IN ('pending', 'handed_over')
RETURNING true
"""

_WAITING = """
SELECT queue, state, count(*) AS depth,
    extract(epoch FROM now() - min(available_at) FILTER (
        WHERE available_at <= now() AND (run_until IS NULL OR run_until <= now())
    ))::float8 AS oldest
FROM outbox WHERE state = '{state}' GROUP BY queue, state
"""

# State by state, since each has an index of its own: what is done is never gone through.
DEPTHS = f"""
{_WAITING.format(state="pending")}
UNION ALL
{_WAITING.format(state="handed_over")}
UNION ALL
SELECT queue, state, count(*), NULL FROM outbox WHERE state = 'dead' GROUP BY queue, state
"""  # noqa: S608 - only our own states are put in

LAG = f"""
WITH RECURSIVE {_LANES}
SELECT coalesce(extract(epoch FROM now() - min(oldest.available_at)), 0)::float8
FROM lanes CROSS JOIN LATERAL (
    SELECT available_at FROM outbox
    WHERE state = 'pending' AND outbox.queue = lanes.queue AND outbox.urgency = lanes.urgency
      AND available_at <= now()
    ORDER BY available_at
    LIMIT 1
) AS oldest
WHERE lanes.queue NOT IN (SELECT queue FROM queue_pauses)
"""  # noqa: S608 - only our own constant is put in


_BEGINNING = (datetime.min.replace(tzinfo=UTC), UUID(int=0))


class Outbox:
    """Promises of jobs."""

    def __init__(self, connection: Any, actor: Actor | None) -> None:
        self._connection = connection
        self._actor = actor
        self.promised = False

    async def put(
        self, job: Job, *, at: datetime | None = None, urgency: Urgency | None = None
    ) -> UUID:
        """Promise a job, now or at a time, as urgent as its kind says unless told otherwise.

        Return its id; raises OutsideTransaction.
        """
        if self._actor is None:
            raise OutsideTransaction(f"{type(job).__name__} promised outside a transaction")
        promise_id = new_id()
        how_urgent = job.urgency if urgency is None else urgency
        request_id = self._actor.request_id
        with creating(job, promise_id) as span:
            facts = (job.queue, job.name, body_of(job), request_id, at, how_urgent)
            trace_parent = span.place.header if span else None
            await self._connection.execute(PUT, promise_id, *facts, trace_parent)
        self.promised = True
        return promise_id

    async def claim_due(self, limit: int, rooms: Sequence[Room] = ()) -> list[Due]:
        """Mark due promises as handed over, at most `limit` of a lane; the urgent and old first.

        A lane without an entry in `rooms` has room for all.
        """
        queues = [room.queue for room in rooms]
        urgencies, counts = [room.urgency for room in rooms], [room.room for room in rooms]
        rows = await self._connection.fetch(CLAIM_DUE, queues, urgencies, counts, limit)
        return [Due(*row) for row in rows]

    async def unsettled(
        self, *, older_than: float, after: Unsettled | None = None, limit: int
    ) -> list[Unsettled]:
        """List what was handed over `older_than` seconds ago and nobody works on, by that time."""
        place = (after.handed_at, after.id) if after else _BEGINNING
        rows = await self._connection.fetch(UNSETTLED, older_than, *place, limit)
        return [Unsettled(*row.values()) for row in rows]

    async def recall(self, ids: Sequence[UUID]) -> None:
        """Offer them again."""
        await self._connection.execute(RECALL, list(ids))

    async def claim_runs(
        self, wanted: Sequence[tuple[UUID, UUID]], *, lease: float
    ) -> list[Promise]:
        """Take promises, given as (promise, holder), to work on them; return those that are ours.

        None that is done, dead, or in other hands. Of two holders who want the same promise one
        gets it.
        """
        ids, holders = [pair[0] for pair in wanted], [pair[1] for pair in wanted]
        rows = await self._connection.fetch(CLAIM_RUN, ids, holders, lease)
        return [Promise(**row) for row in rows]

    async def renew(self, promise: Promise, *, lease: float) -> bool:
        """Extend the lease; False when the promise is no longer ours."""
        return bool(await self._connection.fetchval(RENEW, promise.id, promise.holder, lease))

    async def progress(self, promise: Promise, *, done: int, total: int | None = None) -> bool:
        """Say how far a long job is; False when the promise is no longer ours."""
        return bool(
            await self._connection.fetchval(PROGRESS, promise.id, promise.holder, done, total)
        )

    async def settle_all(self, promises: Sequence[Promise]) -> set[UUID]:
        """Strike promises out; return the ids of those that were still ours."""
        ids, holders = [each.id for each in promises], [each.holder for each in promises]
        rows = await self._connection.fetch(SETTLE, ids, holders)
        return {row["id"] for row in rows}

    async def put_back(
        self, promise: Promise, *, seconds: float, counted: bool, error: str | None = None
    ) -> bool:
        """Leave the promise for a later try; `counted` says whether this try was one."""
        return bool(
            await self._connection.fetchval(
                PUT_BACK, promise.id, promise.holder, seconds, counted, error
            )
        )

    async def bury(self, promise: Promise, error: str) -> bool:
        """Give the promise up; it stays as dead, to be seen and replayed."""
        return bool(await self._connection.fetchval(BURY, promise.id, promise.holder, error))

    async def depths(self) -> list[Depth]:
        """Count promises not done, by queue and state."""
        return [Depth(*row.values()) for row in await self._connection.fetch(DEPTHS)]

    async def lag(self) -> float:
        """Age in seconds of the oldest promise that is due and not handed over."""
        return float(await self._connection.fetchval(LAG))
