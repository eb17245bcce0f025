"""What `filter[...]` takes: each kind reads its text strictly and says what it allows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from api.ids import PATTERN, is_id

_MAX_IDS = 100
ME = "me"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One way to narrow a list: `read` raises ValueError saying what it allows."""

    read: Callable[[str], Any]
    # JSON Schema of the parameter.
    schema: Mapping[str, Any]
    description: str = ""


def choice(*allowed: str, description: str = "") -> Filter:
    """Return a filter that takes one of a few words."""

    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"Choose among {', '.join(allowed)}.")
        return text

    schema = {"type": "string", "enum": list(allowed)}
    return Filter(read=read, schema=schema, description=description)


def flag(description: str = "") -> Filter:
    """Return a filter that takes `true` or `false`."""

    def read(text: str) -> bool:
        if text not in {"true", "false"}:
            raise ValueError("Send true or false.")
        return text == "true"

    return Filter(read=read, schema={"type": "boolean"}, description=description)


def identifier(description: str = "") -> Filter:
    """Return a filter that takes an id."""
    schema = {"type": "string", "format": "uuid"}
    return Filter(read=_id, schema=schema, description=description)


def person(description: str = "") -> Filter:
    """Return a filter that takes a user's id, or `me`, which the service puts the caller for."""

    def read(text: str) -> UUID | str:
        return ME if text == ME else _id(text)

    schema = {"type": "string", "anyOf": [{"format": "uuid"}, {"const": ME}]}
    return Filter(read=read, schema=schema, description=description)


def identifiers(description: str = "") -> Filter:
    """Return a filter that takes up to 100 ids, parted by commas; gives a list."""

    def read(text: str) -> list[UUID]:
        found = [_id(item) for item in text.split(",")]
        if len(found) > _MAX_IDS:
            raise ValueError(f"Send at most {_MAX_IDS} ids.")
        return found

    schema = {"type": "string", "pattern": f"^{PATTERN}(,{PATTERN}){{0,{_MAX_IDS - 1}}}$"}
    return Filter(read=read, schema=schema, description=description)


def word(*, longest: int, description: str = "") -> Filter:
    """Return a filter that takes any text of 1 to `longest` characters, to be met exactly."""

    def read(text: str) -> str:
        if not 1 <= len(text) <= longest:
            raise ValueError(f"Send 1 to {longest} characters.")
        return text

    schema = {"type": "string", "minLength": 1, "maxLength": longest}
    return Filter(read=read, schema=schema, description=description)


def _id(text: str) -> UUID:
    if not is_id(text):
        raise ValueError("Send an id such as 01935b5c-6d1e-7a3b-8c4d-5e6f708192a3.")
    return UUID(text)
