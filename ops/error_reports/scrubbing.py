"""What of an error report leaves the house: a list of what may, and masks over the rest.

Messages of exceptions are the dangerous part: PostgreSQL's carry whole rows, drivers' the values
that they were given; both stand behind the first line, behind a known beginning, or in quotes.
"""

import re
from collections.abc import Mapping
from typing import Any

from ops.logging.masks import HIDDEN, masked

_MOST = 500
_KEPT = frozenset({
    "environment", "event_id", "level", "platform", "release", "sdk", "server_name", "timestamp",
})  # fmt: skip
# Source lines are the program's own, as everybody can read them; values of variables are people's.
_OF_FRAMES = frozenset({
    "abs_path", "context_line", "filename", "function", "in_app", "lineno", "module",
    "post_context", "pre_context",
})  # fmt: skip
# What these quote are names in our own code.
_ABOUT_CODE = frozenset({"AttributeError", "ImportError", "NameError", "TypeError"})
_ARGUMENT = re.compile(r"(invalid input for query argument \$\d+).*")
_QUOTED = re.compile(r"(?<!\w)'(?:[^'\\]|\\.)*'?|\"[^\"]*\"?")
# PostgreSQL's names of tables, columns and constraints.
_IDENTIFIER = re.compile(r'"[a-z_][a-z0-9_]*"')
# What masks leave of an address is enough for a log at home, and too much for elsewhere.
_ADDRESS_LEFT = re.compile(r"\S?\*\*\*@[\w.-]+")


def scrubbed(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the report as it may leave."""
    errors = (event.get("exception") or {}).get("values", ())
    return {
        **{name: value for name, value in event.items() if name in _KEPT},
        "transaction": safe(str(event.get("transaction") or "")),
        "tags": {name: safe(str(value)) for name, value in event.get("tags", {}).items()},
        "contexts": {"runtime": event.get("contexts", {}).get("runtime", {})},
        "exception": {"values": [_error(error) for error in errors]},
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
        "value": safe(first if name in _ABOUT_CODE else _without_values(first)),
        "stacktrace": {"frames": [_frame(frame) for frame in frames]},
    }


def _frame(frame: Mapping[str, Any]) -> dict[str, Any]:
    return {name: frame[name] for name in sorted(_OF_FRAMES & frame.keys())}


def _without_values(text: str) -> str:
    return _QUOTED.sub(_quoted, _ARGUMENT.sub(rf"\1: {HIDDEN}", text))


def _quoted(found: re.Match[str]) -> str:
    return found[0] if _IDENTIFIER.fullmatch(found[0]) else HIDDEN


def safe(text: str) -> str:
    """Return a text without addresses, tokens and what is named as a secret."""
    return _ADDRESS_LEFT.sub(HIDDEN, masked(text))[:_MOST]
