"""The address of a picture, and the two names that it has on the wire."""

import re
from ipaddress import AddressValueError, IPv6Address
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError, pre_load

from api.characters import is_control
from api.schemas import Text

_LONGEST = 2_048
_LAST_PORT = 65_535
_SCHEMES = ("http://", "https://")
# What an address has only as escapes (RFC 3986, section 2).
_SIGNS = re.compile(r'[\s"<>\\^`{|}]')
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
# Letters of every script, and the low line that hosts of storage services have.
_LETTER = "0-9A-Za-z_\u00a1-\U0010ffff"
_LABEL = f"[{_LETTER}](?:[{_LETTER}-]{{0,61}}[{_LETTER}])?"
_PLACE = re.compile(
    rf"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|{_LABEL}(?:\.{_LABEL})*\.?)(?::(?P<port>[0-9]*))?"
)


class PictureUrl(Text):
    """The http or https address of a picture, at most 2,048 characters; nothing is fetched."""

    default_error_messages = {  # noqa: RUF012 - marshmallow's way
        "long": f"Write at most {_LONGEST:,} characters.",
        "invalid": "Send an http or https address.",
        "controls": "Control characters are not allowed.",
        "signs": 'Write spaces and "<>\\^`{{|}} as percent escapes, such as %20.',
        "escape": "Write two hexadecimal digits after every %, and % itself as %25.",
        "user": "Leave user name and password out of the address.",
        "port": f"Send a port of at most {_LAST_PORT}, or none.",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"format": "uri", "maxLength": _LONGEST}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if len(text) > _LONGEST:  # before anybody looks for an address in it
            raise self.make_error("long")
        if wrong := _wrong_with(text):
            raise self.make_error(wrong)
        return text


class TakesAvatar:
    """Of schemas with `profilePicture`: they take it as `avatar` too."""

    @pre_load
    def _accept_avatar(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Take `avatar`, the documents' other name, for `profilePicture`."""
        if "avatar" not in data:
            return data
        if "profilePicture" in data:
            raise ValidationError("Send profilePicture or avatar, not both.", "avatar")
        renamed = {name: value for name, value in data.items() if name != "avatar"}
        return renamed | {"profilePicture": data["avatar"]}


def _wrong_with(text: str) -> str | None:
    """Return the key of the message that an address deserves, None for a good one."""
    if not text.lower().startswith(_SCHEMES):
        return "invalid"
    if any(map(is_control, text)):
        return "controls"
    if _SIGNS.search(text):
        return "signs"
    if _BAD_ESCAPE.search(text):
        return "escape"
    try:
        return _wrong_with_place(urlsplit(text).netloc)
    except ValueError:  # brackets that hold no address, letters that stand for / or @
        return "invalid"


def _wrong_with_place(netloc: str) -> str | None:
    if "@" in netloc:
        return "user"
    found = _PLACE.fullmatch(netloc)
    if found is None or not _is_ipv6(found["ipv6"] or "::"):
        return "invalid"
    return "port" if int(found["port"] or 0) > _LAST_PORT else None


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True
