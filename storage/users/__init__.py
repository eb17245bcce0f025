"""People: the record, the credential, their SQL."""

from storage.users.records import (
    COLUMNS,
    FREE,
    HELD_ROLES,
    PREMIUM,
    Credential,
    EmailTaken,
    User,
    UserNotFound,
    UserStatus,
    canonical_email,
)
from storage.users.repository import Users

__all__ = [
    "COLUMNS",
    "FREE",
    "HELD_ROLES",
    "PREMIUM",
    "Credential",
    "EmailTaken",
    "User",
    "UserNotFound",
    "UserStatus",
    "Users",
    "canonical_email",
]
