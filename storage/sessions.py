"""Signed-in devices: one row is the whole state of a session, nothing presentable is stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

# Everything that makes an access token worth nothing, in one look.
LIVE = """
SELECT sessions.id, sessions.user_id, sessions.epoch, sessions.generation, sessions.key_id,
    sessions.amr, sessions.authenticated_at
FROM sessions JOIN users ON users.id = sessions.user_id
WHERE sessions.id = $1 AND sessions.ended_at IS NULL AND sessions.expires_at > now()
  AND users.is_active AND users.deleted_at IS NULL
"""

# Exactly one of any number of holders of a generation gets past this.
ROTATE = """
UPDATE sessions SET generation = generation + 1, key_id = $3, rotated_at = now(),
    last_used_at = now(), updated_at = now(),
    used_before_at = CASE WHEN last_used_at < date_trunc('day', now(), 'UTC')
        THEN last_used_at ELSE used_before_at END,
    expires_at = least(now() + make_interval(secs => $4), absolute_expires_at)
WHERE id = $1 AND generation = $2 AND ended_at IS NULL AND expires_at > now()
  AND EXISTS (SELECT FROM users WHERE users.id = user_id AND is_active AND deleted_at IS NULL)
RETURNING id, user_id, epoch, generation, key_id, amr, authenticated_at
"""

# The same for many sessions at once, and the role that an access token tells of. What somebody else
# has locked is left out: waiting for it would keep everybody waiting, and two could wait in turn.
ROTATE_ALL = """
WITH free AS (
    SELECT sessions.id FROM sessions
    JOIN unnest($1::uuid[], $2::integer[]) AS asked (id, generation) USING (id, generation)
    JOIN users ON users.id = sessions.user_id
    WHERE sessions.ended_at IS NULL AND sessions.expires_at > now()
      AND users.is_active AND users.deleted_at IS NULL
    FOR UPDATE OF sessions SKIP LOCKED
)
UPDATE sessions SET generation = generation + 1, key_id = $3, rotated_at = now(),
    last_used_at = now(), updated_at = now(),
    used_before_at = CASE WHEN last_used_at < date_trunc('day', now(), 'UTC')
        THEN last_used_at ELSE used_before_at END,
    expires_at = least(now() + make_interval(secs => $4), absolute_expires_at)
FROM free WHERE sessions.id = free.id
RETURNING sessions.id, user_id, epoch, generation, key_id, amr, authenticated_at, coalesce((
    SELECT roles.name FROM user_roles JOIN roles ON roles.id = user_roles.role_id
    WHERE user_roles.user_id = sessions.user_id
    ORDER BY roles.rank DESC, roles.name
    LIMIT 1
), 'guest') AS role
"""

# Locked, since what a late parent means depends on the one that came late before it.
LOOK = """
SELECT sessions.id, sessions.user_id, sessions.epoch, sessions.generation, sessions.key_id,
    sessions.amr, sessions.authenticated_at, sessions.late_generation,
    coalesce(sessions.rotated_at < now() - make_interval(secs => $2), true) AS late
FROM sessions JOIN users ON users.id = sessions.user_id
WHERE sessions.id = $1 AND sessions.ended_at IS NULL AND sessions.expires_at > now()
  AND users.is_active AND users.deleted_at IS NULL
FOR UPDATE OF sessions
"""

PARENT_CAME_LATE = "UPDATE sessions SET late_generation = generation WHERE id = $1"

END = """
UPDATE sessions SET ended_at = now(), end_reason = $2, updated_at = now()
WHERE id = $1 AND ended_at IS NULL
RETURNING user_id
"""

END_ALL = """
UPDATE sessions SET ended_at = now(), end_reason = $2, updated_at = now()
WHERE user_id = $1 AND ended_at IS NULL AND expires_at > now()
"""

END_OTHERS = """
UPDATE sessions SET ended_at = now(), end_reason = $3, updated_at = now()
WHERE user_id = $1 AND id <> $2 AND ended_at IS NULL AND expires_at > now()
"""

# Of a person, so that nobody ends a stranger's by its id.
END_OWN = """
UPDATE sessions SET ended_at = now(), end_reason = $3, updated_at = now()
WHERE user_id = $1 AND id = $2 AND ended_at IS NULL AND expires_at > now()
RETURNING true
"""

OF_USER = """
SELECT id, user_agent, address, created_at, last_used_at, expires_at FROM sessions
WHERE user_id = $1 AND ended_at IS NULL AND expires_at > now()
ORDER BY last_used_at DESC, id DESC
"""

PROVED_AGAIN = """
UPDATE sessions SET authenticated_at = now(), updated_at = now()
WHERE id = $1 AND ended_at IS NULL
"""

ACTIVE = "SELECT count(*) FROM sessions WHERE ended_at IS NULL AND expires_at > now()"

# The day is in an index, the moment is not: every refresh changes it.
PURGE = """
DELETE FROM sessions WHERE id IN (
    (SELECT id FROM sessions
     WHERE expires_day < now() - make_interval(days => $1)
       AND expires_at < now() - make_interval(days => $1) LIMIT $2)
    UNION
    (SELECT id FROM sessions WHERE ended_at < now() - make_interval(days => $1) LIMIT $2)
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


@dataclass(frozen=True, slots=True)
class Rotated:
    """A session that moved on, and the highest role of its person."""

    session: Session
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """A live session, as its person sees it."""

    id: UUID
    user_agent: str | None
    address: str | None
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """A live session and how long ago its token changed: what an older token is judged by."""

    session: Session
    late: bool
    late_generation: int | None


class EndReason(StrEnum):
    """Why a session ended."""

    LOGOUT = "logout"
    LOGOUT_ALL = "logout_all"
    REUSE = "reuse"
    ENDED_BY_OWNER = "ended_by_owner"
    LIMIT = "limit"
    ACCOUNT_DELETED = "account_deleted"
    PASSWORD_RESET = "password_reset"
    PASSWORD_CHANGED = "password_changed"
    EMAIL_UNDONE = "email_undone"
    SUSPENDED = "suspended"
    ENDED_BY_ADMIN = "ended_by_admin"


class Sessions:
    """Sessions of people."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        # Whether this transaction ended a session or changed what one may.
        self.revoked = False

    async def rotate(
        self, session_id: UUID, *, generation: int, key_id: str, seconds: int
    ) -> Session | None:
        """Move a live session on from `generation`; None when it is not there any more."""
        row = await self._connection.fetchrow(ROTATE, session_id, generation, key_id, seconds)
        return Session(**row) if row else None

    async def rotate_all(
        self, generations: Mapping[UUID, int], *, key_id: str, seconds: int
    ) -> dict[UUID, Rotated]:
        """Move sessions on, each from its generation; return those that did, by their ids.

        One that did not may be locked just now: `rotate` waits for it.
        """
        ids, numbers = [*generations], [*generations.values()]
        found = {}
        for row in await self._connection.fetch(ROTATE_ALL, ids, numbers, key_id, seconds):
            facts = dict(row)
            role = facts.pop("role")
            found[row["id"]] = Rotated(Session(**facts), role)
        return found

    async def standing(self, session_id: UUID, *, late_after: int) -> Standing | None:
        """Lock a live session and tell whether its last rotation is `late_after` seconds ago."""
        row = await self._connection.fetchrow(LOOK, session_id, late_after)
        if row is None:
            return None
        facts = dict(row)
        late, late_generation = facts.pop("late"), facts.pop("late_generation")
        return Standing(Session(**facts), late, late_generation)

    async def parent_came_late(self, session_id: UUID) -> None:
        """Remember that the parent of the live token was presented late."""
        await self._connection.execute(PARENT_CAME_LATE, session_id)

    async def end(self, session_id: UUID, reason: EndReason) -> UUID | None:
        """End a session; return whose it was, None when it had ended before."""
        self.revoked = True
        user_id: UUID | None = await self._connection.fetchval(END, session_id, reason)
        return user_id

    async def end_all(self, user_id: UUID, reason: EndReason) -> int:
        """End every session of a person; return how many."""
        self.revoked = True
        return int((await self._connection.execute(END_ALL, user_id, reason)).split()[-1])

    async def end_others(self, user_id: UUID, session_id: UUID, reason: EndReason) -> int:
        """End every session of a person but one; return how many."""
        self.revoked = True
        status = await self._connection.execute(END_OTHERS, user_id, session_id, reason)
        return int(status.split()[-1])

    async def end_own(self, user_id: UUID, session_id: UUID, reason: EndReason) -> bool:
        """End one live session of a person; False when they have none of this id."""
        self.revoked = True
        return bool(await self._connection.fetchval(END_OWN, user_id, session_id, reason))

    async def of_user(self, user_id: UUID) -> list[OpenSession]:
        """List the live sessions of a person, the last used first."""
        return [OpenSession(**row) for row in await self._connection.fetch(OF_USER, user_id)]

    async def proved_again(self, session_id: UUID) -> None:
        """Note that the person behind a session gave their password again just now."""
        self.revoked = True
        await self._connection.execute(PROVED_AGAIN, session_id)

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
