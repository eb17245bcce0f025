"""Rules of profiles.

A value whose key is missing from SECRET_KEYS is not lost: it is told of and never overwritten by
nothing, so that putting the key back brings it back.
"""

from collections.abc import Sequence
from uuid import UUID

from api.context import Call, Principal
from api.users.reach import changed, seen
from ops.errors import Detail, Kind, Problem
from ops.logging import get_logger
from ops.metrics import Metrics
from storage.database import Database
from storage.profiles import Profile, ProfileContent
from storage.repositories import Storage

# Names on the wire, by which callers and the audit trail know them.
WIRE_NAMES = {
    "bio": "bio",
    "phone": "phone",
    "date_of_birth": "dateOfBirth",
    "timezone": "timezone",
    "language": "language",
    "notification_preferences": "notificationPreferences",
    "profile_picture_url": "profilePicture",
}

_log = get_logger()


class Unreadable(Problem, kind=Kind.CONFLICT, code="CONFLICT"):
    """What is kept here cannot be read just now. Send a new value, or ask the operator."""

    def __init__(self, names: Sequence[str]) -> None:
        message = "Its key is missing from SECRET_KEYS; nothing does not overwrite it."
        super().__init__(details=[Detail(WIRE_NAMES[name], message) for name in names])


class ProfileService:
    """Keeps what people tell of themselves."""

    def __init__(self, *, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._unreadable = metrics.profile_values_unreadable

    async def of_user(self, user_id: UUID, principal: Principal, call: Call) -> Profile:
        """Return the profile of somebody the caller may see; raise UserNotFound.

        That somebody else looked at it is written down.
        """
        async with self._database.reading(call.actor) as storage:
            profile = await self._looked(storage, user_id, principal)
            if user_id != principal.user_id:
                await storage.audit.note("profile.read", subject=user_id)
        return profile

    async def replace(
        self, user_id: UUID, content: ProfileContent, principal: Principal, call: Call
    ) -> Profile:
        """Replace the profile of somebody the caller may change.

        Raises UserNotFound, Forbidden, PreconditionFailed, and Unreadable for a value that the
        caller cannot have seen and does not replace by another.
        """
        async with self._database.transaction(call.actor) as storage:
            await changed(storage, principal, user_id)
            old = await storage.profiles.of_user(user_id)
            call.check_version(old.version)
            if lost := [name for name in old.unreadable if getattr(content, name) is None]:
                self._tell(old)
                raise Unreadable(lost)
            names = _differences(old.content, content)
            if not names:
                return old
            await storage.profiles.put(user_id, content)
            if "profile_picture_url" in names:
                await storage.profiles.put_picture(user_id, content.profile_picture_url)
            wire_names = ",".join(WIRE_NAMES[name] for name in names)
            await storage.audit.note("profile.changed", subject=user_id, fields=wire_names)
            return await storage.profiles.of_user(user_id)

    async def _looked(self, storage: Storage, user_id: UUID, principal: Principal) -> Profile:
        await seen(storage, principal, user_id)
        profile = await storage.profiles.of_user(user_id)
        self._tell(profile)
        return profile

    def _tell(self, profile: Profile) -> None:
        for name, key_id in profile.unreadable.items():
            self._unreadable.labels(name).inc()
            _log.error(
                "a value of a profile cannot be decrypted: put its key back into SECRET_KEYS",
                column=name,
                key_id=key_id,
                subject=str(profile.user_id),
            )


def _differences(old: ProfileContent, new: ProfileContent) -> list[str]:
    return [name for name in WIRE_NAMES if getattr(old, name) != getattr(new, name)]
