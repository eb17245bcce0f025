"""Roles and permissions: who may do what."""

from enum import StrEnum
from typing import Any
from uuid import UUID

ASSIGN = """
INSERT INTO user_roles (user_id, role_id) SELECT $1, id FROM roles WHERE name = $2
ON CONFLICT DO NOTHING
"""

ADMIN_EXISTS = """
SELECT EXISTS (
    SELECT FROM user_roles
    JOIN roles ON roles.id = user_roles.role_id
    JOIN users ON users.id = user_roles.user_id
    WHERE roles.name = 'admin' AND users.deleted_at IS NULL
)
"""

IS_LAST_ADMIN = """
SELECT coalesce(bool_and(users.id = $1), false) FROM user_roles
JOIN roles ON roles.id = user_roles.role_id
JOIN users ON users.id = user_roles.user_id
WHERE roles.name = 'admin' AND users.deleted_at IS NULL AND users.is_active
"""

# Two set-up pages at once must not make two first admins, two last ones not leave at once.
LOCK_ADMINS = "SELECT pg_advisory_xact_lock(4827160091)"


class BuiltInRole(StrEnum):
    """The roles every installation has, the highest first."""

    ADMIN = "admin"
    MANAGER = "manager"
    USER = "user"
    GUEST = "guest"


class Permission(StrEnum):
    """The catalogue: what a role can permit, `resource:what`. `own` ends at one's own.

    Each is a row of the table `permissions` too, with a description; a test compares them.
    """

    USERS_READ = "users:read"
    USERS_READ_OWN = "users:read_own"
    USERS_CREATE = "users:create"
    USERS_UPDATE = "users:update"
    USERS_UPDATE_TEAM = "users:update_team"
    USERS_UPDATE_OWN = "users:update_own"
    USERS_DELETE = "users:delete"
    SESSIONS_READ = "sessions:read"
    ROLES_READ = "roles:read"
    ROLES_WRITE = "roles:write"
    ROLES_ASSIGN = "roles:assign"
    TEAMS_READ = "teams:read"
    TEAMS_READ_OWN = "teams:read_own"
    TEAMS_CREATE = "teams:create"
    TEAMS_MANAGE = "teams:manage"
    TEAMS_MANAGE_OWN = "teams:manage_own"
    CONTENT_READ = "content:read"
    CONTENT_CREATE = "content:create"
    CONTENT_UPDATE = "content:update"
    CONTENT_UPDATE_OWN = "content:update_own"
    CONTENT_DELETE = "content:delete"
    CONTENT_DELETE_OWN = "content:delete_own"


class Roles:
    """Roles, and who has them."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def assign(self, user_id: UUID, role: str) -> None:
        """Give a person a role; nothing happens when they have it."""
        await self._connection.execute(ASSIGN, user_id, role)

    async def admin_exists(self) -> bool:
        """Say whether anybody living is an admin."""
        return bool(await self._connection.fetchval(ADMIN_EXISTS))

    async def is_last_admin(self, user_id: UUID) -> bool:
        """Say whether nobody else who is active and living is an admin; lock before asking."""
        return bool(await self._connection.fetchval(IS_LAST_ADMIN, user_id))

    async def lock_admins(self) -> None:
        """Let one transaction at a time decide who becomes the first admin, or leaves as last."""
        await self._connection.execute(LOCK_ADMINS)
