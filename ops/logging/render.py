"""Finished lines: JSON or text, masked as a whole."""

import re
from typing import Any

import orjson

_HIDDEN_KEYS = re.compile(
    r"pass(word|wd)?|secret|token|authorization|cookie|credential|api_?key|otp|code$", re.IGNORECASE
)
_MASKS = re.compile(
    r"(?P<email>[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]+(?:\.[\w-]+)+)"
    r"|(?P<jwt>\bey[\w-]{8,}\.[\w-]+\.[\w-]*)"
    r"|(?P<opaque>\bo[a-z]{2}_[\w.-]{12,})"
    r"|(?P<hash>\$(?:argon2\w*|2[aby]|scrypt|pbkdf2[\w-]*)\$[^\s\"]+)"
    r"|(?P<login>(?<=://)[^\s/@\"]+:[^\s@\"]+(?=@))"
    r"|(?P<bearer>(?<=[Bb]earer )[^\s\"]+)"
    r"|(?P<query>(?<=token=)[^\s&\"]+|(?<=code=)\d{6}\b)"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_FIRST = ("time", "level", "category", "process", "event")


def masked(text: str) -> str:
    """Hide e-mail addresses, tokens, password hashes and credentials in URLs."""
    return _MASKS.sub(_mask, text)


def _mask(match: re.Match[str]) -> str:
    if match.lastgroup == "email":
        name, _, domain = match[0].rpartition("@")
        return f"{name[0]}***@{domain}"
    return "[hidden]"


def json_line(_: object, __: str, event: dict[str, Any]) -> tuple[tuple[str], dict[str, str]]:
    """Return one JSON object in one line."""
    first = {key: event[key] for key in _FIRST if key in event}
    line = orjson.dumps(first | _without_secrets(event), default=str).decode()
    return _finished(line, event)


def text_line(_: object, __: str, event: dict[str, Any]) -> tuple[tuple[str], dict[str, str]]:
    """Return one line for people: time, level, what happened, then name=value pairs."""
    clock = str(event.get("time", ""))[11:23]
    facts = _without_secrets(event)
    trace = str(facts.pop("exception", ""))
    pairs = " ".join(f"{key}={_plain(value)}" for key, value in facts.items() if key not in _FIRST)
    head = f"{clock} {event.get('level', ''):7} {_plain(event.get('event', ''))}  {pairs}".rstrip()
    return _finished("\n    ".join([head, *trace.splitlines()]), event)


def _finished(line: str, event: dict[str, Any]) -> tuple[tuple[str], dict[str, str]]:
    where = {"category": str(event.get("category")), "level": str(event.get("level"))}
    return (masked(line),), where


def _without_secrets(event: dict[str, Any]) -> dict[str, Any]:
    return {
        key: "[hidden]" if _HIDDEN_KEYS.search(key) and key not in _FIRST else value
        for key, value in event.items()
    }


def _plain(value: object) -> str:
    text = value if isinstance(value, str) else str(value)
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
