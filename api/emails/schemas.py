"""What proving and changing an address takes."""

from typing import Any, ClassVar

from marshmallow import ValidationError, validate, validates_schema

from api.emails.changes import EmailChange, Undo
from api.emails.service import Unproved, Verification
from api.fields import Email, NewEmail, Password
from api.schemas import Inbound, Text


class VerificationSchema(Inbound):
    """A token, or an e-mail address and its code."""

    makes = Verification
    example: ClassVar[dict[str, Any]] = {"email": "user@example.com", "code": "123456"}

    token = Text(
        validate=validate.Length(1, 200), metadata={"description": "From the letter's link."}
    )
    email = Email()
    code = Text(
        validate=validate.Regexp(r"^[0-9]{6}$", error="Six digits."),
        metadata={"description": "The six digits of the letter."},
    )

    @validates_schema
    def _one_way(self, data: dict[str, Any], **_: Any) -> None:
        if data.keys() not in ({"token"}, {"email", "code"}):
            raise ValidationError("Send either token, or email and code.", "token")


class UnprovedSchema(Inbound):
    """The address that a letter is to prove."""

    makes = Unproved
    example: ClassVar[dict[str, Any]] = {"email": "user@example.com"}

    email = Email(required=True)


class EmailChangeSchema(Inbound):
    """A new address; and the current password, unless the sign-in is recent."""

    makes = EmailChange
    example: ClassVar[dict[str, Any]] = {
        "newEmail": "new@example.com",
        "currentPassword": "SecureP@ss123",
    }

    new_email = NewEmail(required=True, data_key="newEmail")
    current_password = Password(
        data_key="currentPassword", metadata={"writeOnly": True, "format": "password"}
    )


class UndoSchema(Inbound):
    """The token of the letter to the old address."""

    makes = Undo
    example: ClassVar[dict[str, Any]] = {"token": "oeu_..."}

    token = Text(
        required=True,
        validate=validate.Length(1, 200),
        metadata={"description": "From the letter's link."},
    )
