"""Jobs in every state, for tests: promised at the front door, brought into a state behind it."""

from typing import Any
from uuid import UUID

from api.parts import Parts
from storage.jobs import NOBODY, Job, SendVerification

# What a state looks like in the outbox.
_STATES = {
    "pending": "available_at = now() - interval '1 second'",
    "delayed": "available_at = now() + interval '1 hour', attempts = 3, last_error = '451 later'",
    "handed_over": "state = 'handed_over', handed_at = now()",
    "running": "state = 'handed_over', handed_at = now(), attempts = 1, holder = id,"
    " started_at = now(), run_until = now() + interval '15 seconds'",
    "done": "state = 'done', handed_at = now(), finished_at = now(), attempts = 1, holder = id",
    "dead": "state = 'dead', handed_at = now(), finished_at = now(), attempts = 12, crashes = 1,"
    " holder = id, last_error = '550 no such mailbox'",
    "discarded": "state = 'discarded', finished_at = now()",
}
STATES = tuple(_STATES)


async def job_in(parts: Parts, owner: Any, state: str, *, job: Job | None = None) -> UUID:
    """Promise a job and bring it into a state; return its id."""
    async with parts.database.transaction() as storage:
        job_id = await storage.outbox.put(job or SendVerification(NOBODY))
    statement = f"UPDATE outbox SET {_STATES[state]} WHERE id = $1"  # noqa: S608 - constants
    await owner.execute(statement, job_id)
    return job_id


async def many_in(owner: Any, state: str, count: int, *, queue: str = "emails") -> None:
    """Make many jobs in a state, past the front door, each with a body of its own."""
    await owner.execute(
        "INSERT INTO outbox (id, queue, name, body) SELECT gen_random_uuid(), $1,"
        " $1 || '.verification', jsonb_build_object('user_id', gen_random_uuid())"
        " FROM generate_series(1, $2)",
        queue,
        count,
    )
    statement = f"UPDATE outbox SET {_STATES[state]} WHERE state = 'pending' AND queue = $1"  # noqa: S608
    await owner.execute(statement, queue)
