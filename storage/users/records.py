"""The record of a person, their credential, their problems, and the columns they are made of."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from ops.errors import Detail, Kind, Problem
from storage.roles import BuiltInRole

# What a `User` is made of: for every statement that gives people.
COLUMNS = """
    users.id, users.email, users.email_verified, users.first_name, users.last_name,
    users.profile_picture_url, users.locale, users.is_active, users.plan, users.last_login_at,
    users.version, users.created_at, users.updated_at, users.deleted_at, users.credential_version,
    coalesce(held.names, ARRAY[]::text[]) AS roles, coalesce(held.rank, 0) AS rank
"""

# Their roles, the highest first; goes after `FROM users`.
HELD_ROLES = """
LEFT JOIN LATERAL (
    SELECT array_agg(roles.name ORDER BY roles.rank DESC, roles.name) AS names,
        max(roles.rank) AS rank
    FROM user_roles JOIN roles ON roles.id = user_roles.role_id
    WHERE user_roles.user_id = users.id
) AS held ON true
"""

# Plans; an administrator or a billing service sets them.
FREE = "free"
PREMIUM = "premium"


class UserStatus(StrEnum):
    """What an account is, as administrators see it."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETED = "deleted"


class EmailTaken(Problem, kind=Kind.CONFLICT, code="DUPLICATE_ENTRY"):
    """This e-mail address is already registered. Sign in, or reset the password."""

    def __init__(self) -> None:
        super().__init__(details=[Detail("email", "Email already exists")])


class UserNotFound(Problem, kind=Kind.NOT_FOUND, code="NOT_FOUND"):
    """There is no such user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person, as everybody may know them: no password, no hash."""

    id: UUID
    email: str
    email_verified: bool
    first_name: str
    last_name: str
    profile_picture_url: str | None
    locale: str
    is_active: bool
    plan: str
    # The highest first; none is what a guest has.
    roles: Sequence[str]
    rank: int
    last_login_at: datetime | None
    version: int
    credential_version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None

    @property
    def role(self) -> str:
        """The highest of their roles."""
        return self.roles[0] if self.roles else BuiltInRole.GUEST

    @property
    def status(self) -> UserStatus:
        """Whether they may sign in, and if not, why."""
        if self.deleted_at:
            return UserStatus.DELETED
        return UserStatus.ACTIVE if self.is_active else UserStatus.SUSPENDED


@dataclass(frozen=True, slots=True)
class Credential:
    """What a password is checked against; None where the person has no password."""

    user_id: UUID
    password_hash: str | None = field(repr=False)
    version: int
    is_active: bool
    email_verified: bool


def canonical_email(email: str) -> str:
    """Return NFC, lower case; dots and plus are kept since only the mail server knows them."""
    return unicodedata.normalize("NFC", email.strip()).lower()
