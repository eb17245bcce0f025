"""Signed-in devices: one row is the whole state of a session, nothing presentable is stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ops.ids import new_id

ADD = """
INSERT INTO sessions
    (id, user_id, key_id, amr, authenticated_at, address, user_agent, expires_at)
VALUES ($1, $2, $3, $4, now(), $5, $6, now() + make_interval(secs => $7))
RETURNING id, user_id, epoch, generation, key_id, amr, authenticated_at
"""

# Everything that makes an access token worth nothing, in one look.
LIVE = """
SELECT sessions.id, sessions.user_id, sessions.epoch, sessions.generation, sessions.key_id,
    sessions.amr, sessions.authenticated_at
FROM sessions JOIN users ON users.id = sessions.user_id
WHERE sessions.id = $1 AND sessions.ended_at IS NULL AND sessions.expires_at > now()
  AND users.is_active AND users.deleted_at IS NULL
"""

ACTIVE = "SELECT count(*) FROM sessions WHERE ended_at IS NULL AND expires_at > now()"

PURGE = """
DELETE FROM sessions WHERE id IN (
    SELECT id FROM sessions
    WHERE expires_at < now() - make_interval(days => $1)
       OR ended_at < now() - make_interval(days => $1)
    LIMIT $2
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A live session."""

    id: UUID
    user_id: UUID
    epoch: int
    generation: int
    key_id: str
    amr: Sequence[str]
    authenticated_at: datetime


class Sessions:
    """Sessions of people."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def add(  # noqa: PLR0913 - the facts of one sign-in
        self,
        *,
        user_id: UUID,
        key_id: str,
        amr: Sequence[str],
        address: str | None,
        user_agent: str | None,
        seconds: int,
    ) -> Session:
        """Open a session that lives `seconds` unless it is used."""
        row = await self._connection.fetchrow(
            ADD, new_id(), user_id, key_id, list(amr), address, user_agent, seconds
        )
        return Session(**row)

    async def live(self, session_id: UUID) -> Session | None:
        """Return the session if it and its person are good, else None."""
        row = await self._connection.fetchrow(LIVE, session_id)
        return Session(**row) if row else None

    async def active(self) -> int:
        """Count sessions that have not ended."""
        return int(await self._connection.fetchval(ACTIVE))

    async def purge(self, *, days: int, limit: int) -> int:
        """Delete sessions that ended more than `days` ago; return how many."""
        return int((await self._connection.execute(PURGE, days, limit)).split()[-1])
