"""Fields of profiles: each written one way, whatever way it came in."""

import re
import unicodedata
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from marshmallow import fields

from api.characters import JOINERS, is_control
from api.composing import is_composable
from api.schemas import Text

_BIO_LENGTH = 2_000
_PHONE_LENGTH = 40
_EARLIEST = date(1900, 1, 1)
_PREFERENCES_BYTES = 4_096
_PREFERENCES_NAMES = 50
_CHANNELS = ("email", "push", "sms")

_ALLOWED = JOINERS | {"\n"}
_PHONE_SIGNS = re.compile(r"[ \u00a0\u2010\u2011.-]")
_BRACKETS = re.compile(r"[()]")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,31}(?:/[A-Za-z0-9_+-]{1,31}){0,2}")
# Files of a time zone database that are no place's time.
_NO_ZONES = ("posix/", "right/", "localtime", "posixrules", "Factory")
_TOPIC = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,63}")


class Bio(Text):
    """At most 2,000 characters in any script on any number of lines; NFC, lines ended by LF."""

    default_error_messages = {  # noqa: RUF012 - marshmallow's way
        "long": f"Write at most {_BIO_LENGTH} characters.",
        "controls": "Control characters are not allowed, but for line ends.",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"maxLength": _BIO_LENGTH}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not is_composable(text, longest=_BIO_LENGTH):
            raise self.make_error("long")
        text = unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()
        if len(text) > _BIO_LENGTH:
            raise self.make_error("long")
        if any(_is_control(character) for character in text):
            raise self.make_error("controls")
        return text


class Phone(Text):
    """A phone number as E.164: spaces, dashes, dots and brackets go, a leading 00 becomes +.

    `(0)`, as in +43 (0) 660, is refused: it is dialled only within a country.
    """

    default_error_messages = {  # noqa: RUF012 - marshmallow's way
        "invalid": "Write + and 7 to 15 digits, country code first, such as +43 660 1234567.",
        "trunk": "Leave out the (0): it is not dialled from abroad.",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"maxLength": _PHONE_LENGTH}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if len(text) > _PHONE_LENGTH:
            raise self.make_error("invalid")
        bare = _PHONE_SIGNS.sub("", text)
        if "(0)" in bare:
            raise self.make_error("trunk")
        number = _BRACKETS.sub("", bare)
        if number.startswith("00"):
            number = f"+{number[2:]}"
        if not _PHONE.fullmatch(number):
            raise self.make_error("invalid")
        return number


class BirthDate(fields.Date):
    """A day in the past, not before 1900, as YYYY-MM-DD."""

    default_error_messages = {  # noqa: RUF012 - marshmallow's way
        "invalid": "Write a date as YYYY-MM-DD.",
        "range": "Write a date in the past, not before 1900.",
    }

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> date:
        if not isinstance(value, str) or not _DATE.fullmatch(value):
            raise self.make_error("invalid")
        try:
            found = date.fromisoformat(value)
        except ValueError as error:
            raise self.make_error("invalid") from error
        if not _EARLIEST <= found < datetime.now(UTC).date():
            raise self.make_error("range")
        return found


class TimeZone(Text):
    """The IANA name of a time zone; where the machine has no database, whatever looks like one."""

    default_error_messages = {  # noqa: RUF012 - marshmallow's way
        "invalid": "Write the IANA name of a time zone, such as Europe/Vienna."
    }

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        name = super()._deserialize(value, attr, data, **kwargs)
        if not _ZONE.fullmatch(name) or name.startswith(_NO_ZONES):
            raise self.make_error("invalid")
        # One file is looked for; `available_timezones()` would open six hundred.
        if not _is_zone(name) and _is_zone("UTC"):
            raise self.make_error("invalid")
        return name


class Preferences(fields.Dict):
    """Topics, each wanted or not: everywhere alike, or by channel (`email`, `push`, `sms`)."""

    default_error_messages = {  # noqa: RUF012 - marshmallow's way
        "invalid": "Send an object: each name true, false, or an object of email, push, sms.",
        "many": f"Send at most {_PREFERENCES_NAMES} names.",
        "large": f"Send at most {_PREFERENCES_BYTES} bytes.",
        "name": "Names are 1 to 64 of a-z, A-Z, 0-9, _ . : - and begin with a letter.",
    }

    def __init__(self, **kwargs: Any) -> None:
        by_channel = {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: {"type": "boolean"} for name in _CHANNELS},
        }
        wanted = {"oneOf": [{"type": "boolean"}, by_channel]}
        most = {"maxProperties": _PREFERENCES_NAMES, "additionalProperties": wanted}
        super().__init__(metadata=most, **kwargs)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.make_error("invalid")
        if len(value) > _PREFERENCES_NAMES:
            raise self.make_error("many")
        for name, wanted in value.items():
            if not _TOPIC.fullmatch(name):
                raise self.make_error("name")
            if not isinstance(wanted, bool) and not _is_by_channel(wanted):
                raise self.make_error("invalid")
        if len(orjson.dumps(value)) > _PREFERENCES_BYTES:
            raise self.make_error("large")
        return value


def _is_control(character: str) -> bool:
    return is_control(character) and character not in _ALLOWED


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # unknown, a folder, a file of another kind
        return False
    return True


def _is_by_channel(wanted: Any) -> bool:
    if not isinstance(wanted, dict):
        return False
    return all(name in _CHANNELS and isinstance(item, bool) for name, item in wanted.items())
