"""Promises in the database: made, handed over, worked on, struck out.

A promise is *pending* until the relay hands it to the broker, *handed over* until a worker settles
it, then *done*; what cannot be done is *dead*, and stays to be seen and replayed.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ops.ids import new_id
from storage.actor import Actor
from storage.jobs import Job, Urgency, body_of
from storage.outbox.records import Depth, Due, OutsideTransaction, Promise, Unsettled

PUT = """
INSERT INTO outbox (id, queue, name, body, request_id, available_at, urgency)
VALUES ($1, $2, $3, $4, $5, coalesce($6, now()), $7)
"""

# Locked rows belong to another relay; the lease covers a relay that dies between here and
# `handed_over`. A paused queue lets its oldest promise out as a probe: who moves `until` sends it,
# so that two relays send one.
CLAIM_DUE = """
WITH put_off AS (
    UPDATE queue_pauses SET until = now() + interval '15 seconds', updated_at = now()
    WHERE until < now() AND EXISTS (
        SELECT FROM outbox
        WHERE outbox.queue = queue_pauses.queue
          AND state = 'pending' AND available_at <= now()
          AND (relay_until IS NULL OR relay_until < now())
    )
    RETURNING queue
), due AS (
    SELECT id FROM outbox
    WHERE state = 'pending' AND available_at <= now()
      AND (relay_until IS NULL OR relay_until < now())
      AND queue NOT IN (SELECT queue FROM queue_pauses)
    ORDER BY available_at, id
    LIMIT $1
    FOR UPDATE SKIP LOCKED
), probes AS (
    SELECT DISTINCT ON (queue) queue, id FROM outbox
    WHERE state = 'pending' AND available_at <= now()
      AND (relay_until IS NULL OR relay_until < now())
      AND queue IN (SELECT queue FROM put_off)
    ORDER BY queue, available_at, id
)
UPDATE outbox SET relay_until = now() + interval '10 seconds', updated_at = now()
WHERE id IN (SELECT id FROM due UNION ALL SELECT id FROM probes)
RETURNING id, queue, name, available_at
"""

# A worker can be done before the relay gets here, or have put the promise back (which ends our
# lease): only what still waits under a lease moves on.
HANDED_OVER = """
UPDATE outbox
SET state = 'handed_over', handed_at = now(), relay_until = NULL, updated_at = now()
WHERE id = ANY($1::uuid[]) AND state = 'pending' AND relay_until IS NOT NULL
"""

NOT_HANDED_OVER = """
UPDATE outbox SET relay_until = NULL, updated_at = now()
WHERE id = ANY($1::uuid[]) AND state = 'pending'
"""

UNSETTLED = """
SELECT id, queue, urgency, handed_at < now() - interval '5 minutes' AS old FROM outbox
WHERE state = 'handed_over' AND handed_at < now() - make_interval(secs => $1)
  AND (run_until IS NULL OR run_until < now())
ORDER BY handed_at
LIMIT $2
"""

RECALL = """
UPDATE outbox SET state = 'pending', relay_until = NULL, handed_at = NULL, updated_at = now()
WHERE id = ANY($1::uuid[]) AND state = 'handed_over'
  AND (run_until IS NULL OR run_until < now())
"""

# A holder whose lease ran out vanished at work: that is a crash. The third one ends the promise.
# A second copy of a message must not cut a back-off short. What was handed over before its queue
# was paused has been overtaken by the pause: whoever claims it leaves it, and the order is kept.
CLAIM_RUN = """
UPDATE outbox SET
    holder = $2,
    run_until = now() + make_interval(secs => $3),
    attempts = attempts + 1,
    crashes = crashes + CASE WHEN holder IS NULL THEN 0 ELSE 1 END,
    updated_at = now()
WHERE id = $1 AND (run_until IS NULL OR run_until < now())
  AND (state = 'handed_over' OR state = 'pending' AND available_at <= now())
RETURNING id, queue, name, body, request_id, attempts, crashes, created_at, available_at,
    EXISTS (SELECT FROM queue_pauses WHERE queue_pauses.queue = outbox.queue) AS paused,
    EXISTS (
        SELECT FROM queue_pauses
        WHERE queue_pauses.queue = outbox.queue AND outbox.handed_at < queue_pauses.created_at
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
WHERE id = $1 AND holder = $2 AND state IN ('pending', 'handed_over')
RETURNING true
"""

PUT_BACK = """
UPDATE outbox SET state = 'pending', holder = NULL, run_until = NULL, relay_until = NULL,
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

DEPTHS = """
SELECT queue, state, count(*) AS depth,
    extract(epoch FROM now() - min(available_at) FILTER (WHERE available_at <= now()))::float8
        AS oldest
FROM outbox WHERE state IN ('pending', 'handed_over')
GROUP BY queue, state
UNION ALL
SELECT queue, state, count(*), NULL FROM outbox WHERE state = 'dead' GROUP BY queue, state
"""

LAG = """
SELECT coalesce(extract(epoch FROM now() - min(available_at)), 0)::float8 FROM outbox
WHERE state = 'pending' AND available_at <= now()
  AND queue NOT IN (SELECT queue FROM queue_pauses)
"""

PURGE = """
DELETE FROM outbox WHERE id IN (
    SELECT id FROM outbox
    WHERE state = 'done' AND finished_at < now() - CASE name
        WHEN 'audit.seal' THEN interval '1 hour' ELSE make_interval(days => $1) END
    LIMIT $2
)
"""


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
        await self._connection.execute(
            PUT, promise_id, job.queue, job.name, body_of(job), request_id, at, how_urgent
        )
        self.promised = True
        return promise_id

    async def claim_due(self, limit: int) -> list[Due]:
        """Lease due promises for handing over: 10 seconds, oldest first."""
        rows = await self._connection.fetch(CLAIM_DUE, limit)
        rows.sort(key=lambda row: (row["available_at"], row["id"]))  # RETURNING keeps no order
        return [Due(row["id"], row["queue"], row["name"]) for row in rows]

    async def handed_over(self, ids: Sequence[UUID]) -> None:
        """Note that the broker has them."""
        await self._connection.execute(HANDED_OVER, list(ids))

    async def not_handed_over(self, ids: Sequence[UUID]) -> None:
        """Give the relay's lease back: the broker did not take them."""
        await self._connection.execute(NOT_HANDED_OVER, list(ids))

    async def unsettled(self, *, older_than: float, limit: int) -> list[Unsettled]:
        """List what was handed over `older_than` seconds ago and nobody works on."""
        rows = await self._connection.fetch(UNSETTLED, older_than, limit)
        return [Unsettled(*row.values()) for row in rows]

    async def recall(self, ids: Sequence[UUID]) -> None:
        """Offer them again."""
        await self._connection.execute(RECALL, list(ids))

    async def claim_run(self, promise_id: UUID, *, holder: UUID, lease: float) -> Promise | None:
        """Take a promise to work on it; None when it is done, dead, or in other hands."""
        row = await self._connection.fetchrow(CLAIM_RUN, promise_id, holder, lease)
        return Promise(**row, holder=holder) if row else None

    async def renew(self, promise: Promise, *, lease: float) -> bool:
        """Extend the lease; False when the promise is no longer ours."""
        return bool(await self._connection.fetchval(RENEW, promise.id, promise.holder, lease))

    async def progress(self, promise: Promise, *, done: int, total: int | None = None) -> bool:
        """Say how far a long job is; False when the promise is no longer ours."""
        return bool(
            await self._connection.fetchval(PROGRESS, promise.id, promise.holder, done, total)
        )

    async def settle(self, promise: Promise) -> bool:
        """Strike the promise out; False when it is no longer ours or was settled before."""
        return bool(await self._connection.fetchval(SETTLE, promise.id, promise.holder))

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

    async def purge(self, *, days: int, limit: int) -> int:
        """Delete done promises older than `days`; return how many."""
        status = await self._connection.execute(PURGE, days, limit)
        return int(status.split()[-1])
