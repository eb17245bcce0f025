"""Letters and what became of them: one row per job, so that a repeated job sends no second one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

# Letters of one recipient in an hour, of those that a stranger can cause: resets, and all others.
HOURLY_LIMIT = 3

# Whoever is written to, deleted or not: a farewell goes to somebody who is gone.
RECIPIENT = """
SELECT id, email, email_verified, first_name, last_name, locale, is_active,
    deleted_at IS NOT NULL AS deleted, credential_version
FROM users WHERE id = $1
"""

SIGN_IN = "SELECT user_id, address, user_agent, created_at FROM sessions WHERE id = $1"

QUEUE = """
INSERT INTO letters (id, user_id, template) VALUES ($1, $2, $3)
ON CONFLICT (id) DO UPDATE SET updated_at = now()
RETURNING state
"""

# Two workers with letters for one recipient count one after the other.
LOCK_RECIPIENT = "SELECT pg_advisory_xact_lock(hashtextextended(encode($1::bytea, 'hex'), 0))"

# The row of an earlier try keeps its state, so that a retry is not counted once more. Letters that
# let somebody back in are counted by themselves: nobody must be able to use up the others of an
# address and so keep its owner out.
QUEUE_LIMITED = """
INSERT INTO letters (id, user_id, template, recipient_mac, state)
VALUES ($1, $2, $3, ($4::bytea[])[1], CASE WHEN (
    SELECT count(*) FROM letters
    WHERE recipient_mac = ANY($4::bytea[]) AND state <> 'withheld'
      AND (template = 'reset') = ($3 = 'reset')
      AND created_at > now() - interval '1 hour'
) < $5 THEN 'queued' ELSE 'withheld' END)
ON CONFLICT (id) DO UPDATE SET updated_at = now()
RETURNING state
"""

SET_STATE = """
UPDATE letters SET state = $2, answer = $3, updated_at = now(),
    handed_at = CASE WHEN $2 = 'handed_over' THEN now() ELSE handed_at END
WHERE id = $1
"""


class LetterState(StrEnum):
    """What became of a letter; nobody can know that it was read, so none is ever `sent`."""

    QUEUED = "queued"
    HANDED_OVER = "handed_over"
    BOUNCED = "bounced"
    FAILED = "failed"
    # The recipient had enough of them this hour, or a newer one made it pointless.
    WITHHELD = "withheld"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Whom a letter goes to, and what decides whether it goes."""

    id: UUID
    email: str
    email_verified: bool
    first_name: str
    last_name: str
    locale: str
    is_active: bool
    deleted: bool
    credential_version: int


@dataclass(frozen=True, slots=True)
class SignIn:
    """How a session was opened."""

    user_id: UUID
    address: str | None
    user_agent: str | None
    at: datetime


class Letters:
    """Letters by the id of their job."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def recipient(self, user_id: UUID) -> Recipient | None:
        """Return whom to write to, deleted or not; None when the row is erased."""
        row = await self._connection.fetchrow(RECIPIENT, user_id)
        return Recipient(**row) if row else None

    async def sign_in(self, session_id: UUID) -> SignIn | None:
        """Return how a session was opened, also when it has ended; None when it is erased."""
        row = await self._connection.fetchrow(SIGN_IN, session_id)
        return SignIn(*row.values()) if row else None

    async def queue(self, letter_id: UUID, *, user_id: UUID, template: str) -> LetterState:
        """Note a letter before it goes out; return its state, which an earlier try may have set."""
        return LetterState(await self._connection.fetchval(QUEUE, letter_id, user_id, template))

    async def queue_limited(
        self, letter_id: UUID, *, user_id: UUID, template: str, recipient_macs: Sequence[bytes]
    ) -> LetterState:
        """Note a letter that strangers can cause: `withheld` when its recipient had enough.

        `recipient_macs` are blind indexes of the address, the one to be written first. Until the
        transaction ends, no other letter to the address is noted.
        """
        await self._connection.execute(LOCK_RECIPIENT, recipient_macs[0])
        return LetterState(
            await self._connection.fetchval(
                QUEUE_LIMITED, letter_id, user_id, template, list(recipient_macs), HOURLY_LIMIT
            )
        )

    async def set_state(self, letter_id: UUID, state: LetterState, answer: str | None) -> None:
        """Note what the mail server said."""
        await self._connection.execute(SET_STATE, letter_id, state, answer)
