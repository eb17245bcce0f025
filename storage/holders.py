"""Who is behind a live session, and what they may: what a request is judged by."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from storage.users import COLUMNS, HELD_ROLES, User

BY_SESSIONS = f"""
SELECT sessions.id AS session_id, sessions.epoch, sessions.authenticated_at, sessions.expires_at,
    array(
        SELECT DISTINCT role_permissions.permission
        FROM roles JOIN role_permissions ON role_permissions.role_id = roles.id
        WHERE roles.name = ANY(coalesce(held.names, ARRAY['guest']))
    ) AS permissions,
    {COLUMNS}
FROM sessions JOIN users ON users.id = sessions.user_id {HELD_ROLES}
WHERE sessions.id = ANY($1::uuid[]) AND sessions.ended_at IS NULL AND sessions.expires_at > now()
  AND users.is_active AND users.deleted_at IS NULL
"""  # noqa: S608 - only our own lists of columns are put in

_OF_SESSION = ("session_id", "epoch", "authenticated_at", "expires_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Whose live session it is, and what they may: facts of now, not of a token."""

    session_id: UUID
    user: User
    permissions: frozenset[str]
    epoch: int
    authenticated_at: datetime
    expires_at: datetime


class Holders:
    """Holders of live sessions."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def by_session(self, session_id: UUID) -> Holder | None:
        """Return who is behind a session if it and they are good, else None."""
        return (await self.by_sessions([session_id])).get(session_id)

    async def by_sessions(self, session_ids: Collection[UUID]) -> dict[UUID, Holder]:
        """Return who is behind those sessions that are good, as their people are, by session."""
        rows = await self._connection.fetch(BY_SESSIONS, session_ids)
        return {row["session_id"]: _holder(dict(row)) for row in rows}


def _holder(facts: dict[str, Any]) -> Holder:
    own = {name: facts.pop(name) for name in _OF_SESSION}
    permissions = _as_set(tuple(facts.pop("permissions")))
    return Holder(**own, permissions=permissions, user=User(**facts))


@lru_cache(maxsize=1_000)
def _as_set(permissions: tuple[str, ...]) -> frozenset[str]:
    """Return one set for everybody who may do the same: thousands of holders are remembered."""
    return frozenset(permissions)
