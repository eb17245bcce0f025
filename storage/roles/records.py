"""Roles and permissions: the records, their problems, and the columns they are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from ops.errors import Detail, Kind, Problem

# What a `Role` is made of.
COLUMNS = """
    roles.id, roles.name, roles.description, roles.rank, roles.built_in, roles.version,
    roles.created_at, roles.updated_at,
    array(
        SELECT permission FROM role_permissions
        WHERE role_permissions.role_id = roles.id ORDER BY permission COLLATE "C"
    ) AS permissions
"""


class BuiltInRole(StrEnum):
    """The roles every installation has, the highest first."""

    ADMIN = "admin"
    MANAGER = "manager"
    USER = "user"
    GUEST = "guest"


# As the first migration has it. A statement that names it is planned for as few as there are.
ADMIN_ID = UUID("01935000-0000-7000-8000-000000000001")


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
    AUDIT_READ = "audit:read"
    JOBS_READ = "jobs:read"
    JOBS_MANAGE = "jobs:manage"
    STATISTICS_READ = "statistics:read"


class RoleNotFound(Problem, kind=Kind.NOT_FOUND, code="NOT_FOUND"):
    """There is no such role; GET /roles lists them."""


class RoleNameTaken(Problem, kind=Kind.CONFLICT, code="DUPLICATE_ENTRY"):
    """There is a role of this name. Choose another name, or change that role."""

    def __init__(self) -> None:
        super().__init__(details=[Detail("name", "Name already exists")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A set of permissions with a name; of two roles the one of greater rank is the higher."""

    id: UUID
    name: str
    description: str
    rank: int
    # Every installation has it: name and rank are fixed, and it stays.
    built_in: bool
    # Names of what it permits, sorted: newer releases may know more of them than `Permission`.
    permissions: Sequence[str]
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CataloguedPermission:
    """A permission, what it is for, and the names of the roles that have it, the highest first."""

    name: str
    description: str
    roles: Sequence[str]
