"""What proving an address takes."""

from typing import Any, ClassVar

from marshmallow import ValidationError, validate, validates_schema

from api.emails.service import Verification
from api.fields import Email
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
        validate=validate.Regexp(r"^\d{6}$", error="Six digits."),
        metadata={"description": "The six digits of the letter."},
    )

    @validates_schema
    def _one_way(self, data: dict[str, Any], **_: Any) -> None:
        if data.keys() not in ({"token"}, {"email", "code"}):
            raise ValidationError("Send either token, or email and code.", "token")
