"""What web processes must forget: sessions that ended, people whose rights changed.

Rows are written by triggers in the transaction of the change itself (migration `revocations`), so
that no way of ending a session can forget to tell.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

RECENT = """
SELECT id, session_id, user_id, role_id FROM revocations
WHERE created_at > now() - make_interval(secs => $1)
LIMIT $2
"""

PURGE = """
DELETE FROM revocations WHERE id IN (
    SELECT id FROM revocations WHERE created_at < now() - interval '10 minutes' LIMIT $1
)
"""


@dataclass(frozen=True, slots=True)
class Revocation:
    """One session, everything of one person, of all who have a role, or (none named) everything."""

    id: UUID
    session_id: UUID | None
    user_id: UUID | None
    role_id: UUID | None

    @property
    def is_of_everything(self) -> bool:
        """Whether nothing at all may be believed any more: a signing key was lost."""
        return not (self.session_id or self.user_id or self.role_id)


class Revocations:
    """What was revoked lately."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def recent(self, *, seconds: int, limit: int) -> list[Revocation]:
        """Return what was revoked in the last seconds, in no order; at most `limit`."""
        rows = await self._connection.fetch(RECENT, seconds, limit)
        return [Revocation(*row.values()) for row in rows]

    async def purge(self, *, limit: int) -> int:
        """Delete what every process read long ago; return how many."""
        return int((await self._connection.execute(PURGE, limit)).split()[-1])
