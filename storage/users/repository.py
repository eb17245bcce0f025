"""People: their SQL."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import asyncpg

from ops.ids import new_id
from storage.pages import Page, Window, fetch_page
from storage.users.listing import LIST
from storage.users.records import (
    COLUMNS,
    FREE,
    HELD_ROLES,
    Credential,
    EmailTaken,
    User,
    UserNotFound,
)

ADD = """
INSERT INTO users (id, email, password_hash, first_name, last_name, email_verified, plan)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""

ADD_UNLESS_TAKEN = """
INSERT INTO users (id, email, password_hash, first_name, last_name) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (email) WHERE deleted_at IS NULL DO NOTHING
RETURNING id
"""

BY_ID = f"""
SELECT {COLUMNS} FROM users {HELD_ROLES} WHERE users.id = $1 AND users.deleted_at IS NULL
"""  # noqa: S608 - only our own lists of columns are put in

KEPT_BY_ID = f"SELECT {COLUMNS} FROM users {HELD_ROLES} WHERE users.id = $1"  # noqa: S608 - as above

KEPT_BY_IDS = f"""
SELECT {COLUMNS} FROM users {HELD_ROLES} WHERE users.id = ANY($1::uuid[])
"""  # noqa: S608 - as above

LOCK = "SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE"

CREDENTIAL = """
SELECT id, password_hash, credential_version, is_active, email_verified FROM users
WHERE email = $1 AND deleted_at IS NULL
"""

LOGGED_IN = """
UPDATE users SET last_login_at = now()
WHERE id = $1 AND credential_version = $2 AND is_active AND deleted_at IS NULL
RETURNING true
"""

REMOVE = """
UPDATE users SET deleted_at = now(), credential_version = credential_version + 1,
    version = version + 1, updated_at = now()
WHERE id = $1 AND deleted_at IS NULL
RETURNING true
"""

# Who lives under the address meanwhile keeps it: the unique index says so.
RESTORE = """
UPDATE users SET deleted_at = NULL, version = version + 1, updated_at = now()
WHERE id = $1 AND deleted_at IS NOT NULL
"""

CHANGE = """
UPDATE users SET first_name = $2, last_name = $3, profile_picture_url = $4, locale = $5, plan = $6,
    version = version + 1, updated_at = now()
WHERE id = $1 AND deleted_at IS NULL
"""

SET_ACTIVE = """
UPDATE users SET is_active = $2, version = version + 1, updated_at = now()
WHERE id = $1 AND deleted_at IS NULL
"""

# Only for a hash that nobody changed meanwhile.
REHASH = "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2"

VERIFY_EMAIL = """
UPDATE users SET email_verified = true, version = version + 1, updated_at = now()
WHERE id = $1 AND email = $2 AND deleted_at IS NULL
RETURNING id
"""

ID_OF = "SELECT id FROM users WHERE email = $1 AND deleted_at IS NULL"

# Each is the length of an index: going by everybody's row takes five times as long.
STATES = """
WITH counted AS MATERIALIZED (
    SELECT
        (SELECT count(*) FROM users WHERE deleted_at IS NULL) AS living,
        (SELECT count(*) FROM users WHERE deleted_at IS NOT NULL) AS deleted,
        (SELECT count(*) FROM users WHERE NOT is_active AND deleted_at IS NULL) AS suspended,
        (SELECT count(*) FROM users
         WHERE NOT email_verified AND is_active AND deleted_at IS NULL) AS unverified
)
SELECT state, people FROM counted CROSS JOIN LATERAL (VALUES
    ('verified', living - suspended - unverified), ('unverified', unverified),
    ('suspended', suspended), ('deleted', deleted)
) AS states (state, people)
"""

# One probe of the index per scheme: SELECT DISTINCT would read every person.
PASSWORD_SCHEMES = """
WITH RECURSIVE found (scheme) AS (
    SELECT min(password_scheme) FROM users
    UNION ALL
    SELECT (SELECT min(password_scheme) FROM users WHERE password_scheme > found.scheme)
    FROM found WHERE found.scheme IS NOT NULL
)
SELECT scheme FROM found WHERE scheme IS NOT NULL
"""


class Users:
    """People; the deleted only where a method says so."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        # Whether this transaction changed what web processes remember of somebody.
        self.revoked = False

    async def add(  # noqa: PLR0913 - one row
        self,
        *,
        email: str,
        password_hash: str | None,
        first_name: str,
        last_name: str,
        email_verified: bool = False,
        plan: str = FREE,
    ) -> UUID:
        """Insert a person, return the id; raise EmailTaken when one lives under this address.

        Who has no password hash cannot sign in by password until a letter lets them choose one.
        """
        user_id = new_id()
        try:
            await self._connection.execute(
                ADD, user_id, email, password_hash, first_name, last_name, email_verified, plan
            )
        except asyncpg.UniqueViolationError as error:
            raise EmailTaken from error
        return user_id

    async def add_unless_taken(
        self, *, email: str, password_hash: str, first_name: str, last_name: str
    ) -> UUID | None:
        """Insert a person, return the id; None when one lives under this address."""
        found: UUID | None = await self._connection.fetchval(
            ADD_UNLESS_TAKEN, new_id(), email, password_hash, first_name, last_name
        )
        return found

    async def by_id(self, user_id: UUID) -> User:
        """Return a person, or raise UserNotFound."""
        row = await self._connection.fetchrow(BY_ID, user_id)
        if row is None:
            raise UserNotFound
        return User(**row)

    async def kept_by_id(self, user_id: UUID) -> User:
        """Return a person, deleted or not, or raise UserNotFound."""
        row = await self._connection.fetchrow(KEPT_BY_ID, user_id)
        if row is None:
            raise UserNotFound
        return User(**row)

    async def kept_by_ids(self, user_ids: Collection[UUID]) -> dict[UUID, User]:
        """Return those of several who are there, deleted or not, by their ids."""
        rows = await self._connection.fetch(KEPT_BY_IDS, user_ids)
        return {row["id"]: User(**row) for row in rows}

    async def lock(self, user_id: UUID) -> None:
        """Let one transaction at a time change a person, deleted or not."""
        await self._connection.fetchval(LOCK, user_id)

    async def page(self, window: Window) -> Page[User]:
        """Return a part of the list of people.

        Filters: `role` and `team` by id, `active`, `suspended` or `deleted` true, `verified`,
        `plan`, `id` any of several, `email`. Only `deleted` shows the deleted.
        """
        return await fetch_page(self._connection, LIST, window, User)

    async def credential(self, email: str) -> Credential | None:
        """Return what the password of a canonical address is checked against, None if unknown."""
        row = await self._connection.fetchrow(CREDENTIAL, email)
        return Credential(*row.values()) if row else None

    async def logged_in(self, user_id: UUID, credential_version: int) -> bool:
        """Note the time of a sign-in; False when the credential is another one by now."""
        return bool(await self._connection.fetchval(LOGGED_IN, user_id, credential_version))

    async def remove(self, user_id: UUID) -> bool:
        """Delete a person softly: the row stays, their address is free; False if done before."""
        self.revoked = True
        return bool(await self._connection.fetchval(REMOVE, user_id))

    async def restore(self, user_id: UUID) -> None:
        """Take a deletion back; raise EmailTaken when somebody else lives under the address."""
        self.revoked = True
        try:
            await self._connection.execute(RESTORE, user_id)
        except asyncpg.UniqueViolationError as error:
            raise EmailTaken from error

    async def change(self, user: User) -> None:
        """Store names, picture, locale and plan as this record has them; lock the person before."""
        self.revoked = True
        await self._connection.execute(
            CHANGE,
            user.id,
            user.first_name,
            user.last_name,
            user.profile_picture_url,
            user.locale,
            user.plan,
        )

    async def suspend(self, user_id: UUID) -> None:
        """Keep a person from signing in; their sessions are ended by whoever calls this."""
        self.revoked = True
        await self._connection.execute(SET_ACTIVE, user_id, False)

    async def activate(self, user_id: UUID) -> None:
        """Let a person sign in again."""
        self.revoked = True
        await self._connection.execute(SET_ACTIVE, user_id, True)

    async def rehash(self, user_id: UUID, *, old: str, new: str) -> None:
        """Store the same password under better parameters, unless it was changed meanwhile."""
        await self._connection.execute(REHASH, user_id, old, new)

    async def verify_email(self, user_id: UUID, email: str) -> bool:
        """Mark the address as the person's own; False when it is no longer their address."""
        self.revoked = True
        return bool(await self._connection.fetchval(VERIFY_EMAIL, user_id, email))

    async def id_of(self, email: str) -> UUID | None:
        """Return who lives under a canonical address, None for nobody."""
        user_id: UUID | None = await self._connection.fetchval(ID_OF, email)
        return user_id

    async def password_schemes(self) -> list[str]:
        """Return how stored passwords were hashed: each hash without salt and digest, once."""
        return [row["scheme"] for row in await self._connection.fetch(PASSWORD_SCHEMES)]

    async def states(self) -> dict[str, int]:
        """Count people by state."""
        return {row["state"]: row["people"] for row in await self._connection.fetch(STATES)}
