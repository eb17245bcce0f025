"""What changing a password takes."""

from typing import Any, ClassVar

from marshmallow import ValidationError, validate, validates_schema

from api.fields import Email, Password
from api.passwords.service import Forgotten, PasswordChange, Reset
from api.schemas import Inbound, Text

_SECRET = {"writeOnly": True, "format": "password"}


class ForgottenSchema(Inbound):
    """The address of an account whose password is forgotten."""

    makes = Forgotten
    example: ClassVar[dict[str, Any]] = {"email": "user@example.com"}

    email = Email(required=True)


class ResetSchema(Inbound):
    """A token, or an e-mail address and its code; and the new password."""

    makes = Reset
    example: ClassVar[dict[str, Any]] = {
        "email": "user@example.com",
        "code": "123456",
        "newPassword": "NewSecureP@ss456",
    }

    token = Text(
        validate=validate.Length(1, 200), metadata={"description": "From the letter's link."}
    )
    email = Email()
    code = Text(
        validate=validate.Regexp(r"^[0-9]{6}$", error="Six digits."),
        metadata={"description": "The six digits of the letter."},
    )
    new_password = Password(required=True, data_key="newPassword", metadata=_SECRET)

    @validates_schema
    def _one_way(self, data: dict[str, Any], **_: Any) -> None:
        if data.keys() - {"new_password"} not in ({"token"}, {"email", "code"}):
            raise ValidationError("Send either token, or email and code.", "token")


class PasswordChangeSchema(Inbound):
    """The current password and the new one."""

    makes = PasswordChange
    example: ClassVar[dict[str, Any]] = {
        "currentPassword": "SecureP@ss123",
        "newPassword": "NewSecureP@ss456",
    }

    current_password = Password(required=True, data_key="currentPassword", metadata=_SECRET)
    new_password = Password(required=True, data_key="newPassword", metadata=_SECRET)
