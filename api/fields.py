"""Fields that several features take: an e-mail address, a name, a password."""

import re
import unicodedata
from typing import Any
from uuid import UUID

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from marshmallow import ValidationError, fields, validate

from api.characters import JOINERS, are_joined, is_control, is_unknown, is_visible
from api.composing import is_composable
from api.ids import is_id
from api.passwords.policy import MAX_LENGTH, normalized
from api.schemas import Text
from storage.users import canonical_email

_MAX_EMAIL = 254
_EMPTY = "Password cannot be empty"
_TOO_LONG = f"Password must have at most {MAX_LENGTH} characters"
_MAX_LOCAL_PART = 64  # RFC 5321, section 4.5.3.1.1
# Nobody has mail there in all the world, but in a network of one's own (RFC 6761, 6762, 8375); the
# library's own way of saying so is to change its list.
_OWN_NETWORK = frozenset({"arpa", "local", "test"})
SPECIAL_USE_DOMAIN_NAMES[:] = [
    name for name in SPECIAL_USE_DOMAIN_NAMES if name not in _OWN_NETWORK
]
# Controls but tab and line feed; and what turns text around, so that it reads as what it is not.
_UNREADABLE = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]"
)


class Email(Text):
    """An e-mail address, canonical: NFC, lower case, the domain as IDNA.

    Domains of one's own network (`local`, `test`, `internal`, `lan`, `home.arpa`) are as good.
    """

    default_error_messages = {  # noqa: RUF012 - marshmallow's way
        "invalid": "Not a valid e-mail address. Write one such as ada@example.com.",
        "number": "The domain of an e-mail address ends in a name, such as com, not in a number.",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"format": "email", "maxLength": _MAX_EMAIL}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if len(text) > _MAX_EMAIL:
            raise self.make_error("invalid")
        try:
            found = validate_email(
                text,
                check_deliverability=False,
                allow_smtputf8=False,
                globally_deliverable=False,
            )
        except (EmailNotValidError, UnicodeError) as error:
            raise self.make_error("invalid") from error
        domain = found.ascii_domain or ""
        if not _takes_mail(domain) or len(found.local_part) > _MAX_LOCAL_PART:
            raise self.make_error("invalid")
        return canonical_email(f"{found.local_part}@{domain}")


class NewEmail(Email):
    """An address that somebody is to have: its domain does not end in a number, as an IP address.

    Some were given such addresses before; they sign in and are found by them as `Email`.
    """

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        email = super()._deserialize(value, attr, data, **kwargs)
        if email.rpartition(".")[2].isdecimal():
            raise self.make_error("number")
        return email


class Line(Text):
    """One line of text in any script, NFC and trimmed, with something to be seen.

    Without control characters, but for joiners between two others.
    """

    def __init__(self, shortest: int, longest: int, **kwargs: Any) -> None:
        error = f"Write {shortest} to {longest} characters."
        length = validate.Length(shortest, longest, error=error)
        super().__init__(validate=[length, _of_a_line], **kwargs)
        self._longest, self._error = longest, error

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not is_composable(text, longest=self._longest):
            raise ValidationError(self._error)
        return unicodedata.normalize("NFC", text).strip()


class Name(Line):
    """A name of 2 to 50 characters in any script, without control characters."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(2, 50, **kwargs)


class Prose(fields.String):
    """Text on any number of lines, NFC, never trimmed; lines end in LF, whatever they came with."""

    def __init__(self, longest: int, **kwargs: Any) -> None:
        error = f"Write at most {longest:,} characters."
        super().__init__(validate=[validate.Length(max=longest, error=error), _readable], **kwargs)
        self._longest, self._error = longest, error

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if not is_composable(text, longest=self._longest):
            raise ValidationError(self._error)
        return unicodedata.normalize("NFC", text.replace("\r\n", "\n"))


class Emptiable(fields.Field[str]):
    """Beside a field of text: null is the empty text, also where it is new."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, allow_none=True, **kwargs)

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the text, the empty one for null."""
        return super().deserialize(value, *args, **kwargs) or ""


class Password(fields.String):
    """A password, NFC, at most 256 characters; never trimmed."""

    def __init__(self, **kwargs: Any) -> None:
        # How short one may be is the policy's, which depends on the profile.
        some = validate.Length(min=1, error=_EMPTY)
        super().__init__(
            validate=[some, validate.Length(max=MAX_LENGTH, error=_TOO_LONG)], **kwargs
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if not is_composable(text, longest=MAX_LENGTH):
            raise ValidationError(_TOO_LONG)
        return normalized(text)


class Id(fields.UUID):
    """An id as paths and filters take it, and in no other spelling."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> UUID:
        if not isinstance(value, str) or not is_id(value):
            raise self.make_error("invalid_uuid")
        return super()._deserialize(value, attr, data, **kwargs)


def _takes_mail(domain: str) -> bool:
    if f".{domain}".endswith(".arpa"):
        return f".{domain}".endswith(".home.arpa")
    return "." in domain


def _of_a_line(text: str) -> None:
    if any(is_control(sign) and sign not in JOINERS for sign in text):
        raise ValidationError("Control characters are not allowed.")
    if not are_joined(text):
        raise ValidationError(
            "Write the joiners U+200C and U+200D one at a time, between what they join."
        )
    if any(map(is_unknown, text)):
        raise ValidationError("Leave out characters that are none, or unknown here.")
    if text and not any(map(is_visible, text)):
        raise ValidationError("Write at least one letter, digit or sign that can be seen.")


def _readable(text: str) -> None:
    if _UNREADABLE.search(text):
        raise ValidationError("Control characters are not allowed, but for tabs and line ends.")
