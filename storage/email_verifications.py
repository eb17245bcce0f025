"""Proofs that an e-mail address is someone's own: a link and a six-digit code in one letter."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from storage.tokens import MAX_WRONG_CODES, Guess

# A repeated letter writes the same row again, under a new secret key perhaps, and one whose token a
# change of the credential retired before it left has a token for the new one. Ids grow with time: a
# late retry of an older letter is not offered beside a newer one.
OFFER = """
INSERT INTO email_verification_tokens (id, user_id, email, token_mac, code_mac, expires_at)
SELECT $1, $2, $3, $4, $5, now() + make_interval(secs => $6)
WHERE NOT EXISTS (SELECT FROM email_verification_tokens WHERE user_id = $2 AND id > $1)
ON CONFLICT (id) DO UPDATE
SET token_mac = excluded.token_mac, code_mac = excluded.code_mac,
    expires_at = excluded.expires_at, spent_at = NULL, updated_at = now()
WHERE email_verification_tokens.spent_at IS NULL
   OR email_verification_tokens.token_mac <> excluded.token_mac
RETURNING true
"""

RETIRE_OLDER = """
UPDATE email_verification_tokens SET spent_at = now(), updated_at = now()
WHERE user_id = $1 AND id < $2 AND spent_at IS NULL
"""

BY_TOKEN = """
SELECT id, user_id, email FROM email_verification_tokens
WHERE token_mac = ANY($1::bytea[]) AND spent_at IS NULL AND expires_at > now()
"""

BY_ID = """
SELECT id, user_id, email FROM email_verification_tokens
WHERE id = $1 AND spent_at IS NULL AND expires_at > now()
"""

# The guess is counted before it is looked at, so that parallel guesses cannot exceed the limit.
COUNT_GUESS = """
UPDATE email_verification_tokens SET wrong_codes = wrong_codes + 1, updated_at = now()
WHERE id = (
    SELECT id FROM email_verification_tokens
    WHERE email = $1 AND spent_at IS NULL AND expires_at > now()
    ORDER BY id DESC LIMIT 1
) AND wrong_codes < $2 AND spent_at IS NULL
RETURNING id, code_mac
"""

UNCOUNT_GUESS = """
UPDATE email_verification_tokens SET wrong_codes = wrong_codes - 1, updated_at = now()
WHERE id = $1 AND wrong_codes > 0
"""

SPEND = """
UPDATE email_verification_tokens SET spent_at = now(), updated_at = now()
WHERE id = $1 AND spent_at IS NULL AND expires_at > now()
RETURNING true
"""

PURGE = """
DELETE FROM email_verification_tokens WHERE id IN (
    SELECT id FROM email_verification_tokens
    WHERE expires_at < now() - make_interval(days => $1) LIMIT $2
)
"""


@dataclass(frozen=True, slots=True)
class Proof:
    """Whose address a token proves."""

    id: UUID
    user_id: UUID
    email: str


class EmailVerifications:
    """Verification tokens and codes."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def offer(  # noqa: PLR0913 - one row
        self,
        token_id: UUID,
        *,
        user_id: UUID,
        email: str,
        token_mac: bytes,
        code_mac: bytes,
        seconds: int,
    ) -> bool:
        """Keep the digests of a letter's token and code; older ones of the person die.

        False when a newer letter was written, or this very token was used or retired.
        """
        offered = await self._connection.fetchval(
            OFFER, token_id, user_id, email, token_mac, code_mac, seconds
        )
        await self._connection.execute(RETIRE_OLDER, user_id, token_id)
        return bool(offered)

    async def by_token(self, token_macs: Sequence[bytes]) -> Proof | None:
        """Return what a token proves; None when it is unknown, spent, replaced or too old."""
        row = await self._connection.fetchrow(BY_TOKEN, list(token_macs))
        return Proof(*row.values()) if row else None

    async def by_id(self, token_id: UUID) -> Proof | None:
        """Return what the token whose code was right proves; None when it is good no longer."""
        row = await self._connection.fetchrow(BY_ID, token_id)
        return Proof(*row.values()) if row else None

    async def count_guess(self, email: str) -> Guess | None:
        """Count a guess at the newest code of an address; None when there is nothing to guess."""
        row = await self._connection.fetchrow(COUNT_GUESS, email, MAX_WRONG_CODES)
        return Guess(*row.values()) if row else None

    async def uncount_guess(self, token_id: UUID) -> None:
        """Give a guess back that was right."""
        await self._connection.execute(UNCOUNT_GUESS, token_id)

    async def spend(self, token_id: UUID) -> bool:
        """Spend a token; False when somebody was faster."""
        return bool(await self._connection.fetchval(SPEND, token_id))

    async def purge(self, *, days: int, limit: int) -> int:
        """Delete tokens that expired more than `days` ago; return how many."""
        return int((await self._connection.execute(PURGE, days, limit)).split()[-1])
