"""Roles and permissions: their SQL."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import asyncpg

from ops.ids import new_id
from storage.pages import Listing, Page, Window, fetch_page
from storage.roles.records import (
    ADMIN_ID,
    COLUMNS,
    CataloguedPermission,
    Role,
    RoleNameTaken,
    RoleNotFound,
)

LIST = Listing(
    select=f"SELECT {COLUMNS}, ({{order}})::text AS sort_value FROM {{rows}}",  # noqa: S608
    table="roles",
    orders={
        "createdAt": "roles.created_at",
        "name": "roles.name",
        # As text, which cursors compare; roles are too few to want an index.
        "rank": "lpad(roles.rank::text, 4, '0')",
    },
    conditions={},
)

BY_ID = f"SELECT {COLUMNS} FROM roles WHERE roles.id = $1"  # noqa: S608

BY_NAME = f"SELECT {COLUMNS} FROM roles WHERE roles.name = $1"  # noqa: S608

ADD = "INSERT INTO roles (id, name, description, rank) VALUES ($1, $2, $3, $4)"

CHANGE = """
UPDATE roles SET name = $2, description = $3, rank = $4, version = version + 1, updated_at = now()
WHERE id = $1
"""

# Whoever is just being given the role is waited for, and nobody is given it any more.
LOCK_OUT = "SELECT id FROM roles WHERE id = $1 FOR UPDATE"

# Of the deleted a role may go without a word.
HOLDERS = """
SELECT count(*) FROM (
    SELECT FROM user_roles JOIN users ON users.id = user_roles.user_id
    WHERE user_roles.role_id = $1 AND users.deleted_at IS NULL
    LIMIT $2
) AS counted
"""

REMOVE = "DELETE FROM roles WHERE id = $1 AND NOT built_in"

PERMIT = """
INSERT INTO role_permissions (role_id, permission) SELECT $1, unnest($2::text[])
ON CONFLICT DO NOTHING
"""

FORBID = "DELETE FROM role_permissions WHERE role_id = $1 AND permission = ANY($2)"

CATALOGUE = """
SELECT permissions.name, permissions.description,
    array(
        SELECT roles.name FROM role_permissions JOIN roles ON roles.id = role_permissions.role_id
        WHERE role_permissions.permission = permissions.name
        ORDER BY roles.rank DESC, roles.name
    ) AS roles
FROM permissions ORDER BY permissions.name COLLATE "C"
"""

GIVE = """
INSERT INTO user_roles (user_id, role_id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING true
"""

TAKE = "DELETE FROM user_roles WHERE user_id = $1 AND role_id = $2 RETURNING true"

ASSIGN = """
INSERT INTO user_roles (user_id, role_id) SELECT $1, id FROM roles WHERE name = $2
ON CONFLICT DO NOTHING
"""

_ADMINS = f"""
FROM user_roles JOIN users ON users.id = user_roles.user_id
WHERE user_roles.role_id = '{ADMIN_ID}' AND users.deleted_at IS NULL
"""

ADMIN_EXISTS = f"SELECT EXISTS (SELECT {_ADMINS})"

ADMINISTRATORS = f"SELECT count(*) {_ADMINS}"

# An invitation may have gone to a wrong address: who has no password yet helps nobody in.
IS_LAST_ADMIN = f"""
SELECT coalesce(
    bool_or(users.id = $1)
    AND NOT bool_or(users.id <> $1 AND users.password_hash IS NOT NULL), false
) {_ADMINS} AND users.is_active
"""

# Two set-up pages at once must not make two first admins, two last ones not leave at once, and who
# is just losing a right must not use it.
LOCK_ADMINS = "SELECT pg_advisory_xact_lock(4827160091)"


class Roles:
    """Roles, and who has them."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        # Whether this transaction changed what web processes remember of somebody.
        self.revoked = False

    async def by_id(self, role_id: UUID) -> Role:
        """Return a role, or raise RoleNotFound."""
        return _role(await self._connection.fetchrow(BY_ID, role_id))

    async def by_name(self, name: str) -> Role:
        """Return a role, or raise RoleNotFound; the name must not hold a NUL."""
        return _role(await self._connection.fetchrow(BY_NAME, name))

    async def page(self, window: Window) -> Page[Role]:
        """Return a part of the list of roles."""
        return await fetch_page(self._connection, LIST, window, Role)

    async def catalogue(self) -> list[CataloguedPermission]:
        """Return every permission there is, by name."""
        return [CataloguedPermission(**row) for row in await self._connection.fetch(CATALOGUE)]

    async def add(
        self, *, name: str, description: str, rank: int, permissions: Collection[str]
    ) -> Role:
        """Insert a role; raise RoleNameTaken."""
        role_id = new_id()
        try:
            await self._connection.execute(ADD, role_id, name, description, rank)
        except asyncpg.UniqueViolationError as error:
            raise RoleNameTaken from error
        await self._connection.execute(PERMIT, role_id, list(permissions))
        return await self.by_id(role_id)

    async def change(
        self, role_id: UUID, *, name: str, description: str, rank: int, permissions: Collection[str]
    ) -> Role:
        """Make a role what is said, a version later; `lock_admins` before. Raise RoleNameTaken."""
        self.revoked = True
        had = set((await self.by_id(role_id)).permissions)
        try:
            await self._connection.execute(CHANGE, role_id, name, description, rank)
        except asyncpg.UniqueViolationError as error:
            raise RoleNameTaken from error
        await self._connection.execute(FORBID, role_id, sorted(had - set(permissions)))
        await self._connection.execute(PERMIT, role_id, sorted(set(permissions) - had))
        return await self.by_id(role_id)

    async def remove(self, role_id: UUID) -> None:
        """Delete a role that is not built in; whoever has it loses it."""
        self.revoked = True
        await self._connection.execute(REMOVE, role_id)

    async def lock_out(self, role_id: UUID) -> None:
        """Let nobody be given a role until the transaction ends; raise RoleNotFound."""
        if await self._connection.fetchval(LOCK_OUT, role_id) is None:
            raise RoleNotFound

    async def holders(self, role_id: UUID, *, limit: int) -> int:
        """Count who has a role and is not deleted, and no further than `limit`."""
        return int(await self._connection.fetchval(HOLDERS, role_id, limit))

    async def give(self, user_id: UUID, role_id: UUID) -> bool:
        """Give a person a role; False when they have it."""
        given = bool(await self._connection.fetchval(GIVE, user_id, role_id))
        self.revoked = self.revoked or given
        return given

    async def take(self, user_id: UUID, role_id: UUID) -> bool:
        """Take a role away from a person; False when they do not have it."""
        taken = bool(await self._connection.fetchval(TAKE, user_id, role_id))
        self.revoked = self.revoked or taken
        return taken

    async def assign(self, user_id: UUID, role: str) -> None:
        """Give a person a role; nothing happens when they have it."""
        await self._connection.execute(ASSIGN, user_id, role)

    async def admin_exists(self) -> bool:
        """Say whether anybody living is an admin."""
        return bool(await self._connection.fetchval(ADMIN_EXISTS))

    async def administrators(self) -> int:
        """Count the living who are admins."""
        return int(await self._connection.fetchval(ADMINISTRATORS))

    async def is_last_admin(self, user_id: UUID) -> bool:
        """Say whether somebody is the last admin; lock before asking.

        Others count who are living, active, and have a password.
        """
        return bool(await self._connection.fetchval(IS_LAST_ADMIN, user_id))

    async def lock_admins(self) -> None:
        """Let one transaction at a time decide who becomes the first admin, or leaves as last.

        Roles are given, taken and changed under it too. Take it before any lock on a row.
        """
        await self._connection.execute(LOCK_ADMINS)


def _role(row: Any) -> Role:
    if row is None:
        raise RoleNotFound
    return Role(**row)
