"""What of an error report leaves the house: a list of what may, and masks over the rest.

Messages of exceptions are the dangerous part: PostgreSQL's carry whole rows, drivers' the values
that they were given; both stand behind the first line, behind a known beginning, or in quotes.
"""

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from ops.logging.masks import HIDDEN, masked
from ops.request_ids import may_be_told

_MOST = 500
_KEPT = frozenset({
    "environment", "event_id", "level", "platform", "release", "sdk", "server_name", "timestamp",
})  # fmt: skip
# Source lines are the program's own, as everybody can read them; values of variables are people's,
# and absolute paths lead through the home of whoever installed us.
_OF_FRAMES = frozenset({
    "context_line", "filename", "function", "in_app", "lineno", "module", "post_context",
    "pre_context",
})  # fmt: skip
# What these quote are names in our own code, and its files.
_ABOUT_CODE = frozenset({"AttributeError", "ImportError", "NameError", "TypeError"})
_FOLDERS = re.compile(r"/[^'\"()]*/")
_ARGUMENT = re.compile(r"(invalid input for query argument \$\d+).*")
# PostgreSQL quotes names and values alike: a name is what follows the word for its kind. It does
# not escape quotes within a value, which therefore ends at the last one.
_QUOTED = re.compile(
    r"\b(?P<name>(?:relation|table|column|constraint|index|type|function|schema)"
    r' "[a-z_][a-z0-9_]*")(?!\w)'
    r"|(?<!\w)'(?:[^'\\]|\\.)*'?"
    r'|".*"|".*'
)
# What masks leave of an address is enough for a log at home, and too much for elsewhere.
_ADDRESS_LEFT = re.compile(r"\S?\*\*\*@[\w.-]+")


def scrubbed(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the report as it may leave."""
    errors = (event.get("exception") or {}).get("values", ())
    return {
        **{name: value for name, value in event.items() if name in _KEPT},
        "transaction": safe(str(event.get("transaction") or "")),
        "tags": _tags(event.get("tags", {})),
        "contexts": {"runtime": event.get("contexts", {}).get("runtime", {})},
        "exception": {"values": [_error(error) for error in errors]},
    }


def _tags(tags: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: safe(str(value))
        for name, value in tags.items()
        if name != "request_id" or may_be_told(str(value))
    }


def _error(error: Mapping[str, Any]) -> dict[str, Any]:
    name = str(error.get("type"))
    first = str(error.get("value") or "").partition("\n")[0]
    frames = (error.get("stacktrace") or {}).get("frames", ())
    return {
        "type": name,
        "module": error.get("module"),
        "mechanism": {
            "type": "generic",
            "handled": (error.get("mechanism") or {}).get("handled", True),
        },
        "value": safe(_FOLDERS.sub("", first) if name in _ABOUT_CODE else _without_values(first)),
        "stacktrace": {"frames": [_frame(frame) for frame in frames]},
    }


def _frame(frame: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: frame[name] for name in sorted(_OF_FRAMES & frame.keys())}
    # Relative to where packages lie, unless the library did not find out: then it is absolute.
    file = PurePath(str(told.get("filename") or ""))
    return told | {"filename": file.name} if file.is_absolute() else told


def _without_values(text: str) -> str:
    return _QUOTED.sub(_quoted, _ARGUMENT.sub(rf"\1: {HIDDEN}", text))


def _quoted(found: re.Match[str]) -> str:
    return found["name"] or HIDDEN


def safe(text: str) -> str:
    """Return a text without addresses, tokens and what is named as a secret."""
    return _ADDRESS_LEFT.sub(HIDDEN, masked(text))[:_MOST]
