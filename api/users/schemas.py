"""What managing people takes and gives."""

from typing import Any, ClassVar

from marshmallow import ValidationError, fields, validate

from api.auth.schemas import UserSchema
from api.fields import Email, Name, NewEmail, Password
from api.filters import Filter, choice, flag, identifier, identifiers, word
from api.languages import Language
from api.paging import Lists
from api.pictures import PictureUrl, TakesAvatar
from api.schemas import Inbound, Replacement, Text, Time
from api.users.service import DEFAULT_LOCALE, UserToCreate
from storage.roles import BuiltInRole
from storage.users import FREE, PREMIUM, UserStatus

_PLANS = (FREE, PREMIUM)
_MAX_ROLE = 50


class Flag(fields.Boolean):
    """`true` or `false`, and nothing that merely looks like it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class UserToCreateSchema(Inbound):
    """Somebody an account is made for."""

    makes = UserToCreate
    example: ClassVar[dict[str, Any]] = {
        "email": "grace@example.com",
        "firstName": "Grace",
        "lastName": "Hopper",
        "role": "manager",
    }

    email = NewEmail(required=True)
    first_name = Name(required=True, data_key="firstName")
    last_name = Name(required=True, data_key="lastName")
    password = Password(
        load_default=None,
        allow_none=False,
        metadata={
            "writeOnly": True,
            "format": "password",
            "description": "Without one a letter invites the user to choose it.",
        },
    )
    role = Text(load_default=str(BuiltInRole.USER), validate=validate.Length(1, _MAX_ROLE))
    plan = fields.String(load_default=FREE, validate=validate.OneOf(_PLANS))
    email_verified = Flag(
        load_default=False,
        data_key="emailVerified",
        metadata={"description": "The address is known to be theirs: no letter asks."},
    )


class UserReplacementSchema(TakesAvatar, Replacement):
    """A user as they shall be (PUT), or what of them shall change (PATCH)."""

    example: ClassVar[dict[str, Any]] = {
        "firstName": "Grace",
        "lastName": "Hopper",
        "profilePicture": "https://example.com/grace.jpg",
        "locale": "en",
    }

    first_name = Name(required=True, data_key="firstName")
    last_name = Name(required=True, data_key="lastName")
    profile_picture_url = PictureUrl(load_default=None, allow_none=True, data_key="profilePicture")
    locale = Language(load_default=DEFAULT_LOCALE)
    # These two only for who may update every user.
    email = NewEmail()
    plan = fields.String(
        validate=validate.OneOf(_PLANS),
        metadata={"description": "Only for who may update every user."},
    )


class OwnUserSchema(UserSchema):
    """A person, as they see themselves among users."""

    example: ClassVar[dict[str, Any]] = UserSchema.example | {
        "plan": "free",
        "locale": "en",
        "updatedAt": "2026-11-21T10:30:00.000Z",
    }

    plan = fields.String(required=True, validate=validate.OneOf(_PLANS))
    locale = fields.String(required=True)
    updated_at = Time(required=True, data_key="updatedAt")


class ManagedUserSchema(OwnUserSchema):
    """A person, as administrators and managers see them.

    People who see only themselves get the fields that are required, and no others.
    """

    example: ClassVar[dict[str, Any]] = OwnUserSchema.example | {
        "roles": ["user"],
        "isActive": True,
        "status": "active",
    }
    only_if_set = frozenset({"deleted_at"})

    roles = fields.List(
        fields.String(), metadata={"description": "The highest first; none is what a guest has."}
    )
    is_active = fields.Boolean(data_key="isActive")
    status = fields.String(validate=validate.OneOf([str(item) for item in UserStatus]))
    deleted_at = Time(
        data_key="deletedAt", metadata={"description": "Only where the user is deleted."}
    )


def _address() -> Filter:
    """Return a filter that takes an e-mail address, to be met exactly once it is canonical."""
    field = Email()

    def read(text: str) -> str:
        try:
            return str(field.deserialize(text))
        except ValidationError as error:
            raise ValueError("Send an e-mail address.") from error

    schema = {"type": "string", "format": "email", "maxLength": 254}
    return Filter(read=read, schema=schema, description="Who lives under this address.")


USER_LISTS = Lists(
    sorts=("createdAt", "updatedAt", "email", "firstName", "lastName", "lastLoginAt"),
    filters={
        "role": word(longest=_MAX_ROLE, description="Who has this role, perhaps among others."),
        "status": choice(
            *(str(item) for item in UserStatus),
            description="Deleted users are shown only to who may delete users.",
        ),
        "verified": flag("Whether the address is proved."),
        "plan": choice(*_PLANS),
        "team": identifier("Who is in this team."),
        "id": identifiers("Any of these users."),
        "email": _address(),
    },
)
