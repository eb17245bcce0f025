"""Slots of periodic work: slot and promise are one statement, so one of each, ever."""

from datetime import datetime
from typing import Any

from ops.ids import new_id
from storage.jobs import Job, body_of

PROMISE = """
WITH slot AS (
    INSERT INTO clock_slots (task, slot, promise_id) VALUES ($1, $2, $3)
    ON CONFLICT DO NOTHING
    RETURNING promise_id
)
INSERT INTO outbox (id, queue, name, body) SELECT promise_id, $4, $1, $5 FROM slot
RETURNING id
"""

SUCCESSES = """
SELECT clock_slots.task, extract(epoch FROM max(outbox.finished_at))::float8 AS at
FROM clock_slots JOIN outbox ON outbox.id = clock_slots.promise_id
WHERE outbox.state = 'done'
GROUP BY clock_slots.task
"""

PURGE = "DELETE FROM clock_slots WHERE slot < now() - make_interval(days => $1)"


class ClockSlots:
    """Hours that have come, however many clocks look."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def promise(self, job: Job, slot: datetime) -> bool:
        """Promise the job for this slot; False when another clock was first."""
        made = await self._connection.fetchval(
            PROMISE, job.name, slot, new_id(), job.queue, body_of(job)
        )
        return made is not None

    async def successes(self) -> dict[str, float]:
        """Return when each task last succeeded, as Unix seconds."""
        rows = await self._connection.fetch(SUCCESSES)
        return {row["task"]: row["at"] for row in rows}

    async def purge(self, *, days: int) -> None:
        """Delete slots older than `days`; the newest of each task is never that old."""
        await self._connection.execute(PURGE, days)
