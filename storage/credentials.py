"""What people prove themselves with: passwords and addresses, changed by one transaction at a time.

Every change raises `credential_version`, which makes older letters, links and codes worthless.
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from storage.users import EmailTaken

# Whatever changes a credential takes this lock first, so that nobody waits for each other in turn.
LOCK = "SELECT id FROM users WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE"

OF_USER = """
SELECT email, password_hash, credential_version, first_name, last_name FROM users
WHERE id = $1 AND deleted_at IS NULL
"""

# Only while the credential is the one that was looked at.
SET_PASSWORD = """
UPDATE users SET password_hash = $3, credential_version = credential_version + 1,
    version = version + 1, updated_at = now()
WHERE id = $1 AND credential_version = $2 AND deleted_at IS NULL
RETURNING true
"""

RESET_PASSWORD = """
UPDATE users SET password_hash = $2, email_verified = true,
    credential_version = credential_version + 1, version = version + 1, updated_at = now()
WHERE id = $1 AND deleted_at IS NULL
"""

CHANGE_EMAIL = """
UPDATE users SET email = $2, email_verified = true,
    credential_version = credential_version + 1, version = version + 1, updated_at = now()
WHERE id = $1 AND deleted_at IS NULL
"""

# Set by somebody else: nobody proved the address yet.
SET_EMAIL = """
UPDATE users SET email = $2, email_verified = false,
    credential_version = credential_version + 1, version = version + 1, updated_at = now()
WHERE id = $1 AND deleted_at IS NULL
"""

RESTORE_EMAIL = """
UPDATE users SET email = $2, email_verified = true, password_hash = NULL,
    credential_version = credential_version + 1, version = version + 1, updated_at = now()
WHERE id = $1 AND deleted_at IS NULL
"""

# Whoever never proved an address cannot keep its owner from it, unless somebody trusts them: they
# are more than an ordinary user.
SQUATTER = """
SELECT id FROM users
WHERE email = $1 AND id <> $2 AND NOT email_verified AND deleted_at IS NULL
  AND NOT EXISTS (
      SELECT FROM user_roles JOIN roles ON roles.id = user_roles.role_id
      WHERE user_roles.user_id = users.id AND roles.rank > 100
  )
FOR NO KEY UPDATE
"""

# Whatever letters a person has got: what they carry was made for another credential. The way back
# from a confirmed change of address stays open.
RETIRE_LETTERS = """
WITH resets AS (
    UPDATE password_reset_tokens SET spent_at = now(), updated_at = now()
    WHERE user_id = $1 AND spent_at IS NULL
), verifications AS (
    UPDATE email_verification_tokens SET spent_at = now(), updated_at = now()
    WHERE user_id = $1 AND spent_at IS NULL
)
UPDATE email_changes SET spent_at = now(), updated_at = now()
WHERE user_id = $1 AND spent_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class OwnCredential:
    """What somebody signed in has to know of to change their password or address."""

    email: str
    password_hash: str | None = field(repr=False)
    version: int
    first_name: str
    last_name: str


class Credentials:
    """Passwords and addresses of people who are not deleted."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        # Whether this transaction changed what web processes remember of somebody.
        self.revoked = False

    async def lock(self, user_id: UUID) -> bool:
        """Let one transaction at a time change a person's credential; False when they are gone."""
        return await self._connection.fetchval(LOCK, user_id) is not None

    async def of_user(self, user_id: UUID) -> OwnCredential | None:
        """Return what a person has to know of to change it, None when they are gone."""
        row = await self._connection.fetchrow(OF_USER, user_id)
        return OwnCredential(*row.values()) if row else None

    async def set_password(
        self, user_id: UUID, password_hash: str, *, credential_version: int
    ) -> bool:
        """Store a new password; False when the credential was changed meanwhile."""
        self.revoked = True
        return bool(
            await self._connection.fetchval(
                SET_PASSWORD, user_id, credential_version, password_hash
            )
        )

    async def reset_password(self, user_id: UUID, password_hash: str) -> None:
        """Store a new password of somebody whose letter proved the address to be theirs."""
        self.revoked = True
        await self._connection.execute(RESET_PASSWORD, user_id, password_hash)

    async def change_email(self, user_id: UUID, email: str) -> None:
        """Give a person a proved address; raise EmailTaken when another one lives under it."""
        await self._move(CHANGE_EMAIL, user_id, email)

    async def set_email(self, user_id: UUID, email: str) -> None:
        """Give a person an address nobody proved; raise EmailTaken when another one lives there."""
        await self._move(SET_EMAIL, user_id, email)

    async def restore_email(self, user_id: UUID, email: str) -> None:
        """Give a person a proved address and take the password away; raise EmailTaken."""
        await self._move(RESTORE_EMAIL, user_id, email)

    async def _move(self, statement: str, user_id: UUID, email: str) -> None:
        self.revoked = True
        try:
            await self._connection.execute(statement, user_id, email)
        except asyncpg.UniqueViolationError as error:
            raise EmailTaken from error

    async def squatter(self, email: str, *, owner: UUID) -> UUID | None:
        """Lock and return whoever else than its owner holds an address without having proved it."""
        user_id: UUID | None = await self._connection.fetchval(SQUATTER, email, owner)
        return user_id

    async def retire_letters(self, user_id: UUID) -> None:
        """Make every reset, verification and open change of address of a person worthless."""
        await self._connection.execute(RETIRE_LETTERS, user_id)
