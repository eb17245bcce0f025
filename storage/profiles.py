"""Profiles: what people tell of themselves; phone and date of birth rest encrypted."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

from ops.crypto import CannotOpen, KeyRing, key_id_of
from storage.users import UserNotFound

# One statement, so that what is shown is of one moment. Whoever never wrote a profile has the
# default of every column. The version counts the person's own too: names and picture are shown.
OF_USER = """
SELECT users.id AS user_id, users.first_name, users.last_name, users.profile_picture_url,
    coalesce(user_profiles.bio, '') AS bio, user_profiles.phone, user_profiles.date_of_birth,
    user_profiles.timezone, coalesce(user_profiles.language, 'en') AS language,
    coalesce(user_profiles.notification_preferences, '{}') AS notification_preferences,
    users.version + coalesce(user_profiles.version, 0) AS version, user_profiles.updated_at
FROM users LEFT JOIN user_profiles ON user_profiles.user_id = users.id
WHERE users.id = $1 AND users.deleted_at IS NULL
"""

PUT = """
INSERT INTO user_profiles
    (user_id, bio, phone, date_of_birth, timezone, language, notification_preferences)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (user_id) DO UPDATE SET bio = excluded.bio, phone = excluded.phone,
    date_of_birth = excluded.date_of_birth, timezone = excluded.timezone,
    language = excluded.language, notification_preferences = excluded.notification_preferences,
    version = user_profiles.version + 1, updated_at = now()
"""

PUT_PICTURE = """
UPDATE users SET profile_picture_url = $2, version = version + 1, updated_at = now()
WHERE id = $1 AND deleted_at IS NULL
"""

_PURPOSES = {"phone": "profile phone", "date_of_birth": "profile date of birth"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileContent:
    """What a profile is made of; the defaults are those of a person who never wrote one."""

    bio: str = field(default="", repr=False)
    phone: str | None = field(default=None, repr=False)
    date_of_birth: date | None = field(default=None, repr=False)
    timezone: str | None = None
    language: str = "en"
    # Topic to wanted or not, or to that by channel.
    notification_preferences: Mapping[str, Any] = field(default_factory=dict)
    # Rests on the person's own record.
    profile_picture_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A person's profile, and of the person what is shown with it."""

    user_id: UUID
    first_name: str
    last_name: str
    content: ProfileContent
    version: int
    # None for a profile that was never written.
    updated_at: datetime | None
    # Fields that hold something which cannot be opened, and the id of the key it was sealed under.
    unreadable: Mapping[str, str]


class Profiles:
    """Profiles of people who are not deleted."""

    def __init__(self, connection: Any, keys: KeyRing) -> None:
        self._connection = connection
        self._keys = keys
        # Whether this transaction changed what web processes remember of somebody.
        self.revoked = False

    async def of_user(self, user_id: UUID) -> Profile:
        """Return a person's profile, an empty one if they never wrote any; raise UserNotFound."""
        row = await self._connection.fetchrow(OF_USER, user_id)
        if row is None:
            raise UserNotFound
        facts, unreadable = dict(row), {}
        for name in _PURPOSES:
            try:
                facts[name] = self._open(name, facts[name], user_id)
            except CannotOpen:
                unreadable[name] = key_id_of(facts[name])
                facts[name] = None
        born = facts["date_of_birth"]
        facts["date_of_birth"] = date.fromisoformat(born) if born else None
        own = {item.name: facts.pop(item.name) for item in fields(ProfileContent)}
        return Profile(**facts, content=ProfileContent(**own), unreadable=unreadable)

    async def put(self, user_id: UUID, content: ProfileContent) -> None:
        """Replace what a person told of themselves, all but the picture; lock the person before."""
        born = content.date_of_birth
        await self._connection.execute(
            PUT,
            user_id,
            content.bio,
            self._seal("phone", content.phone, user_id),
            self._seal("date_of_birth", born.isoformat() if born else None, user_id),
            content.timezone,
            content.language,
            dict(content.notification_preferences),
        )

    async def put_picture(self, user_id: UUID, url: str | None) -> None:
        """Replace or remove a person's picture."""
        self.revoked = True
        await self._connection.execute(PUT_PICTURE, user_id, url)

    def _seal(self, name: str, text: str | None, user_id: UUID) -> bytes | None:
        if text is None:
            return None
        return self._keys.seal(text.encode(), purpose=_PURPOSES[name], aad=user_id.bytes)

    def _open(self, name: str, envelope: bytes | None, user_id: UUID) -> str | None:
        if envelope is None:
            return None
        return self._keys.open(envelope, purpose=_PURPOSES[name], aad=user_id.bytes).decode()
