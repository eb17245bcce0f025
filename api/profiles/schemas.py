"""What profiles take and give."""

from typing import Any, ClassVar

from marshmallow import fields

from api.languages import Language
from api.pictures import PictureUrl, TakesAvatar
from api.profiles.fields import Bio, BirthDate, Phone, Preferences, TimeZone
from api.profiles.service import WIRE_NAMES
from api.schemas import Inbound, Outbound, Time
from storage.profiles import ProfileContent

_CONTENT = {
    "bio": "Wrote the first compiler.",
    "phone": "+12025550123",
    "dateOfBirth": "1906-12-09",
    "timezone": "America/New_York",
    "language": "en-US",
    "notificationPreferences": {"newsletter": False, "security": {"email": True, "sms": True}},
    "profilePicture": "https://cdn.example.com/avatars/grace.jpg",
}


class ProfileContentSchema(TakesAvatar, Inbound):
    """The whole of a profile: what is left out becomes empty, the language `en`."""

    makes = ProfileContent
    example: ClassVar[dict[str, Any]] = _CONTENT

    bio = Bio()
    phone = Phone(allow_none=True)
    date_of_birth = BirthDate(allow_none=True, data_key="dateOfBirth")
    timezone = TimeZone(allow_none=True)
    language = Language()
    notification_preferences = Preferences(data_key="notificationPreferences")
    profile_picture_url = PictureUrl(allow_none=True, data_key="profilePicture")


class ProfileSchema(Outbound):
    """What somebody tells of themselves."""

    example: ClassVar[dict[str, Any]] = {
        "userId": "01935b5c-6d1e-7a3b-8c4d-5e6f708192a3",
        "firstName": "Grace",
        "lastName": "Hopper",
        **_CONTENT,
        "updatedAt": "2026-11-21T10:30:00.000Z",
        "unreadable": [],
    }

    user_id = fields.UUID(required=True, data_key="userId")
    first_name = fields.String(required=True, data_key="firstName")
    last_name = fields.String(required=True, data_key="lastName")
    bio = fields.String(required=True, attribute="content.bio")
    phone = fields.String(required=True, allow_none=True, attribute="content.phone")
    date_of_birth = fields.Date(
        required=True,
        allow_none=True,
        data_key="dateOfBirth",
        attribute="content.date_of_birth",
    )
    timezone = fields.String(required=True, allow_none=True, attribute="content.timezone")
    language = fields.String(required=True, attribute="content.language")
    notification_preferences = Preferences(
        required=True,
        data_key="notificationPreferences",
        attribute="content.notification_preferences",
    )
    profile_picture_url = fields.String(
        required=True,
        allow_none=True,
        data_key="profilePicture",
        attribute="content.profile_picture_url",
    )
    updated_at = Time(
        required=True,
        allow_none=True,
        data_key="updatedAt",
        metadata={"description": "Null for a profile that was never written."},
    )
    unreadable = fields.Function(
        lambda profile: [WIRE_NAMES[name] for name in profile.unreadable],
        required=True,
        metadata={
            "type": "array",
            "items": {"type": "string", "enum": ["phone", "dateOfBirth"]},
            "description": "Fields shown as null although something is kept: its key is missing.",
        },
    )
