"""Permissions to choose a new password: a link and a six-digit code in one letter, spent once.

Every look joins the person, so that a token dies with the credential and the address it was made
for, whoever changed them and however.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from storage.tokens import MAX_WRONG_CODES, Guess

# A repeated letter writes the same row again, under a new secret key perhaps. Ids grow with time: a
# late retry of an older letter is not offered beside a newer one.
OFFER = """
INSERT INTO password_reset_tokens
    (id, user_id, email, credential_version, token_mac, code_mac, expires_at)
SELECT $1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7)
WHERE NOT EXISTS (SELECT FROM password_reset_tokens WHERE user_id = $2 AND id > $1)
ON CONFLICT (id) DO UPDATE
SET token_mac = excluded.token_mac, code_mac = excluded.code_mac,
    credential_version = excluded.credential_version, expires_at = excluded.expires_at,
    updated_at = now()
WHERE password_reset_tokens.spent_at IS NULL
RETURNING true
"""

RETIRE_OLDER = """
UPDATE password_reset_tokens SET spent_at = now(), updated_at = now()
WHERE user_id = $1 AND id < $2 AND spent_at IS NULL
"""

_GOOD = """
    tokens.spent_at IS NULL AND tokens.expires_at > now() AND users.id = tokens.user_id
    AND users.credential_version = tokens.credential_version AND users.email = tokens.email
    AND users.is_active AND users.deleted_at IS NULL
"""

# Only our own condition is put in, here and below.
BY_TOKEN = f"""
SELECT tokens.id, tokens.user_id, tokens.email, users.first_name, users.last_name
FROM password_reset_tokens AS tokens, users
WHERE tokens.token_mac = ANY($1::bytea[]) AND {_GOOD}
"""  # noqa: S608

BY_ID = f"""
SELECT tokens.id, tokens.user_id, tokens.email, users.first_name, users.last_name
FROM password_reset_tokens AS tokens, users
WHERE tokens.id = $1 AND {_GOOD}
"""  # noqa: S608

# The guess is counted before it is looked at, so that parallel guesses cannot exceed the limit.
COUNT_GUESS = """
UPDATE password_reset_tokens SET wrong_codes = wrong_codes + 1, updated_at = now()
WHERE id = (
    SELECT id FROM password_reset_tokens
    WHERE email = $1 AND spent_at IS NULL AND expires_at > now()
    ORDER BY id DESC LIMIT 1
) AND wrong_codes < $2 AND spent_at IS NULL
RETURNING id, code_mac
"""

UNCOUNT_GUESS = """
UPDATE password_reset_tokens SET wrong_codes = wrong_codes - 1, updated_at = now()
WHERE id = $1 AND wrong_codes > 0
"""

SPEND = f"""
UPDATE password_reset_tokens AS tokens SET spent_at = now(), updated_at = now()
FROM users WHERE tokens.id = $1 AND {_GOOD}
RETURNING true
"""  # noqa: S608

PURGE = """
DELETE FROM password_reset_tokens WHERE id IN (
    SELECT id FROM password_reset_tokens
    WHERE expires_at < now() - make_interval(days => $1) LIMIT $2
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Whose password may be chosen anew, and what it must not be."""

    id: UUID
    user_id: UUID
    email: str
    first_name: str
    last_name: str


class PasswordResets:
    """Reset tokens and codes."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def offer(  # noqa: PLR0913 - one row
        self,
        token_id: UUID,
        *,
        user_id: UUID,
        email: str,
        credential_version: int,
        token_mac: bytes,
        code_mac: bytes,
        seconds: int,
    ) -> bool:
        """Keep the digests of a letter's token and code; older ones of the person die.

        False when this letter is pointless: a newer one was written, or its token was used.
        """
        offered = await self._connection.fetchval(
            OFFER, token_id, user_id, email, credential_version, token_mac, code_mac, seconds
        )
        await self._connection.execute(RETIRE_OLDER, user_id, token_id)
        return bool(offered)

    async def by_token(self, token_macs: Sequence[bytes]) -> Permit | None:
        """Return what a token permits; None when it is unknown, spent, replaced or too old."""
        row = await self._connection.fetchrow(BY_TOKEN, list(token_macs))
        return Permit(**row) if row else None

    async def by_id(self, token_id: UUID) -> Permit | None:
        """Return what the token whose code was right permits; None when it is good no longer."""
        row = await self._connection.fetchrow(BY_ID, token_id)
        return Permit(**row) if row else None

    async def count_guess(self, email: str) -> Guess | None:
        """Count a guess at the newest code of an address; None when there is nothing to guess."""
        row = await self._connection.fetchrow(COUNT_GUESS, email, MAX_WRONG_CODES)
        return Guess(*row.values()) if row else None

    async def uncount_guess(self, token_id: UUID) -> None:
        """Give a guess back that was right."""
        await self._connection.execute(UNCOUNT_GUESS, token_id)

    async def spend(self, token_id: UUID) -> bool:
        """Spend a token; False when somebody was faster or the credential changed."""
        return bool(await self._connection.fetchval(SPEND, token_id))

    async def purge(self, *, days: int, limit: int) -> int:
        """Delete tokens that expired more than `days` ago; return how many."""
        return int((await self._connection.execute(PURGE, days, limit)).split()[-1])
