"""What is over: done jobs, letters and messages nobody asks for any more, deleted in batches."""

from typing import Any

# Promises to seal are made all day long and tell nothing. What is dead waits for somebody to
# decide, however long; what was discarded may still be regretted.
PURGE_SEALS = """
DELETE FROM outbox WHERE id IN (
    SELECT id FROM outbox
    WHERE name = 'audit.seal' AND state = 'done' AND finished_at < now() - interval '1 hour'
    LIMIT $1
)
"""

PURGE_DONE = """
DELETE FROM outbox WHERE id IN (
    SELECT id FROM outbox
    WHERE state = 'done' AND finished_at < now() - make_interval(secs => $1)
    LIMIT $2
)
"""

PURGE_DISCARDED = """
DELETE FROM outbox WHERE id IN (
    SELECT id FROM outbox
    WHERE state = 'discarded' AND finished_at < now() - make_interval(secs => $1)
    LIMIT $2
)
"""

# The row of a letter keeps its job from sending it twice: it stays while that job may run again.
PURGE_LETTERS = """
DELETE FROM letters WHERE id IN (
    SELECT id FROM letters
    WHERE created_at < now() - make_interval(secs => $1) AND NOT EXISTS (
        SELECT FROM outbox WHERE outbox.id = letters.id AND outbox.state <> 'done'
    )
    LIMIT $2
)
"""

PURGE_QUARANTINE = """
DELETE FROM quarantine WHERE id IN (
    SELECT id FROM quarantine WHERE created_at < now() - make_interval(days => $1) LIMIT $2
)
"""


class History:
    """What jobs left behind."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def purge_seals(self, *, limit: int) -> int:
        """Delete promises to seal that were done an hour ago; return how many."""
        return await self._deleted(PURGE_SEALS, limit)

    async def purge_done(self, *, seconds: int, limit: int) -> int:
        """Delete promises done so long ago; return how many."""
        return await self._deleted(PURGE_DONE, seconds, limit)

    async def purge_discarded(self, *, seconds: int, limit: int) -> int:
        """Delete promises discarded so long ago; return how many."""
        return await self._deleted(PURGE_DISCARDED, seconds, limit)

    async def purge_letters(self, *, seconds: int, limit: int) -> int:
        """Delete letters of so long ago whose jobs are done or gone; return how many."""
        return await self._deleted(PURGE_LETTERS, seconds, limit)

    async def purge_quarantine(self, *, days: int, limit: int) -> int:
        """Delete messages quarantined so long ago; return how many."""
        return await self._deleted(PURGE_QUARANTINE, days, limit)

    async def _deleted(self, statement: str, *arguments: int) -> int:
        return int((await self._connection.execute(statement, *arguments)).split()[-1])
