"""What a sign-in needs, in one statement before the password is looked at and one after.

A statement of its own for each fact took longer than all of the facts take PostgreSQL.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ops.ids import new_id
from storage.devices import KnownAs
from storage.jobs import NOBODY
from storage.sessions import EndReason, Session
from storage.users import COLUMNS, HELD_ROLES, Credential, User

# A device is known by the token it shows, or by the place it calls from; the second one is easier
# to imitate. Who is unknown costs the same.
LOOK_UP = """
SELECT users.id, password_hash, credential_version, is_active, email_verified,
    (SELECT id FROM devices WHERE user_id = coalesce(users.id, $2) AND id = $3) AS by_token,
    (SELECT id FROM devices
     WHERE user_id = coalesce(users.id, $2) AND site = $4 AND agent_mac = ANY($5::bytea[])
     ORDER BY last_seen_at DESC LIMIT 1) AS by_place
FROM (VALUES (true)) AS always (there)
LEFT JOIN users ON users.email = $1 AND users.deleted_at IS NULL
"""

# Whoever opens one session too many loses the one unused for longest. No part sees what another
# one writes: the new session is none of those counted, the new device none of the others.
OPEN = f"""
WITH device AS (
    INSERT INTO devices (id, user_id, site, agent_mac) VALUES ($3, $2, $4, $5)
    ON CONFLICT (id) DO UPDATE SET site = excluded.site, agent_mac = excluded.agent_mac,
        last_seen_at = now(), updated_at = now()
), surplus AS (
    UPDATE sessions SET ended_at = now(), end_reason = $6, updated_at = now()
    WHERE id IN (
        SELECT id FROM sessions WHERE user_id = $2 AND ended_at IS NULL AND expires_at > now()
        ORDER BY last_used_at DESC, id DESC OFFSET $7
    )
    RETURNING id
), opened AS (
    INSERT INTO sessions
        (id, user_id, device_id, address, key_id, amr, authenticated_at, user_agent, expires_at,
        absolute_expires_at)
    VALUES ($1, $2, $3, $4, $8, $9, now(), $10, now() + make_interval(secs => $11),
        now() + make_interval(secs => $12))
    RETURNING id, user_id, epoch, generation, key_id, amr, authenticated_at
)
SELECT opened.id AS session_id, opened.user_id, opened.epoch, opened.generation, opened.key_id,
    opened.amr, opened.authenticated_at, (SELECT count(*) FROM surplus) AS ended,
    EXISTS (SELECT FROM devices WHERE user_id = $2 AND id <> $3) AS has_other_devices, {COLUMNS}
FROM opened JOIN users ON users.id = opened.user_id {HELD_ROLES}
"""  # noqa: S608 - only our own lists of columns are put in

_OF_SESSION = ("user_id", "epoch", "generation", "key_id", "amr", "authenticated_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A session that has begun, whose it is, and how many it put an end to."""

    session: Session
    user: User
    device_id: UUID
    ended: int
    has_other_devices: bool


class SignIns:
    """Sign-ins: who it may be, and the session that begins."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        # Whether this transaction ended a session.
        self.revoked = False

    async def look_up(
        self, email: str, *, device_id: UUID | None, site: str, agent_macs: Sequence[bytes]
    ) -> tuple[Credential | None, KnownAs]:
        """Return what the password of a canonical address is checked against, and the device.

        For an unknown address that is None, and a device of nobody's.
        """
        row = await self._connection.fetchrow(
            LOOK_UP, email, NOBODY, device_id, site, list(agent_macs)
        )
        user_id, *facts, by_token, by_place = row.values()
        return Credential(user_id, *facts) if user_id else None, KnownAs(by_token, by_place)

    async def open(  # noqa: PLR0913 - the facts of one sign-in
        self,
        user_id: UUID,
        *,
        device_id: UUID | None,
        site: str,
        agent_mac: bytes,
        keep: int,
        key_id: str,
        amr: Sequence[str],
        user_agent: str | None,
        seconds: int,
        absolute_seconds: int,
    ) -> Opened:
        """Open a session that lives `seconds` unless it is used, and at most the other number.

        A device without an id becomes known; more than `keep` sessions a person does not keep:
        lock the person before, since two sign-ins at once do not see each other.
        """
        device = device_id or new_id()
        row = await self._connection.fetchrow(
            OPEN,
            new_id(),
            user_id,
            device,
            site,
            agent_mac,
            EndReason.LIMIT,
            keep - 1,
            key_id,
            list(amr),
            user_agent,
            min(seconds, absolute_seconds),
            absolute_seconds,
        )
        facts = dict(row)
        session_id, ended = facts.pop("session_id"), facts.pop("ended")
        has_others = facts.pop("has_other_devices")
        session = Session(id=session_id, **{name: facts.pop(name) for name in _OF_SESSION})
        self.revoked = self.revoked or ended > 0
        return Opened(
            session=session,
            user=User(**facts),
            device_id=device,
            ended=ended,
            has_other_devices=has_others,
        )
