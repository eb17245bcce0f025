"""Finished lines: JSON or text, one line an event, masked before they are written."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from ops.logging.masks import masked_trace, shown

# What ends a line somewhere, moves a terminal's cursor, or turns the reading direction.
_CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
# Makes a line of a moment and masked facts, around others that it holds already.
Frame = Callable[[str, Mapping[str, Any]], str]

_FIRST = ("time", "level", "category", "process", "event")


def fit_to_leave(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of an event, masked, in the order of a line."""
    facts = shown(event)
    if "exception" in event:
        facts["exception"] = masked_trace(str(event["exception"]))
    return {**{key: facts[key] for key in _FIRST if key in facts}, **facts}


class JsonShape:
    """One JSON object a line."""

    def line(self, facts: Mapping[str, Any]) -> str:
        """Return masked facts as a line."""
        return _json(facts)

    def frame(self, fixed: Mapping[str, Any]) -> Frame:
        """Return what puts a moment before these facts, which never change, and others after."""
        head = _json(fixed)[1:-1]

        def rendered(moment: str, facts: Mapping[str, Any]) -> str:
            rest = f",{_json(facts)[1:]}" if facts else "}"
            return f'{{"time":"{moment}",{head}{rest}'

        return rendered


class TextShape:
    """Lines for people: time, level, what happened, name=value pairs."""

    def line(self, facts: Mapping[str, Any]) -> str:
        """Return masked facts as a line.

        A traceback follows in lines of its own, indented, so that none can pass for an event.
        """
        facts = dict(facts)
        clock = str(facts.get("time", ""))[11:23]
        trace = str(facts.pop("exception", ""))
        pairs = " ".join(f"{key}={value}" for key, value in facts.items() if key not in _FIRST)
        head = f"{clock} {facts.get('level', ''):7} {facts.get('event', '')}  {pairs}".rstrip()
        return "\n    ".join(_encoded(line) for line in [head, *trace.splitlines()])

    def frame(self, fixed: Mapping[str, Any]) -> Frame:
        """Return what makes a line of a moment, these facts and others."""
        return lambda moment, facts: self.line({"time": moment, **fixed, **facts})


Shape = JsonShape | TextShape


def _json(facts: Mapping[str, Any]) -> str:
    line = orjson.dumps(facts).decode()
    # What is below a space, it has written as an escape already.
    return line if line.isascii() and "\x7f" not in line else _encoded(line)


def _encoded(text: str) -> str:
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
