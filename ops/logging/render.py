"""Finished lines: JSON or text, one line an event, masked before they are written."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from ops.logging.masks import masked_trace, shown

# What ends a line somewhere, moves a terminal's cursor, or turns the reading direction.
_CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
_FIRST = ("time", "level", "category", "process", "event")


def fit_to_leave(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of an event, masked, in the order of a line."""
    facts = shown(event)
    if "exception" in event:
        facts["exception"] = masked_trace(str(event["exception"]))
    return {**{key: facts[key] for key in _FIRST if key in facts}, **facts}


def json_line(facts: Mapping[str, Any]) -> str:
    """Return masked facts as one JSON object in one line."""
    line = orjson.dumps(facts).decode()
    # What is below a space, it has written as an escape already.
    return line if line.isascii() and "\x7f" not in line else _encoded(line)


def text_line(given: Mapping[str, Any]) -> str:
    """Return masked facts as one line for people: time, level, what happened, name=value pairs.

    A traceback follows in lines of its own, indented, so that none can pass for an event.
    """
    facts = dict(given)
    clock = str(facts.get("time", ""))[11:23]
    trace = str(facts.pop("exception", ""))
    pairs = " ".join(f"{key}={value}" for key, value in facts.items() if key not in _FIRST)
    head = f"{clock} {facts.get('level', ''):7} {facts.get('event', '')}  {pairs}".rstrip()
    return "\n    ".join(_encoded(line) for line in [head, *trace.splitlines()])


def _encoded(text: str) -> str:
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
