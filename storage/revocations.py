"""What web processes must forget: sessions that ended, people whose rights changed.

Rows are written by triggers in the transaction of the change itself (migration `revocations`), so
that no way of ending a session can forget to tell.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

# A transaction may commit seconds after its row was made, so a reader looks back further than to
# its last look.
RECENT = """
SELECT id, session_id, user_id FROM revocations WHERE created_at > now() - interval '30 seconds'
"""

PURGE = """
DELETE FROM revocations WHERE id IN (
    SELECT id FROM revocations WHERE created_at < now() - interval '10 minutes' LIMIT $1
)
"""


@dataclass(frozen=True, slots=True)
class Revocation:
    """One session, everything of one person, or (neither named) everything."""

    id: UUID
    session_id: UUID | None
    user_id: UUID | None


class Revocations:
    """What was revoked lately."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def recent(self) -> list[Revocation]:
        """Return what was revoked in the last 30 seconds."""
        return [Revocation(*row.values()) for row in await self._connection.fetch(RECENT)]

    async def purge(self, *, limit: int) -> int:
        """Delete what every process read long ago; return how many."""
        return int((await self._connection.execute(PURGE, limit)).split()[-1])
