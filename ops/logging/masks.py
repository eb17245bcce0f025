"""What must not leave in a log line: found by its name or by its shape, and hidden."""

import re
from collections.abc import Callable, Mapping
from typing import Any

HIDDEN = "[hidden]"

_SECRET = r"(?:pass(?:word|wd|phrase)?|secret|token|cookie|credential|api[_-]?key|otp)"
_HIDDEN_KEYS = re.compile(rf"{_SECRET}|authorization|code$", re.IGNORECASE)
# By name: password=..., "token": "...", Cookie: ... (a header goes to the end of its line).
_NAMED = re.compile(
    r"(?P<head>\b(?:set-)?cookie\s*:\s*|\b(?:proxy-)?authorization[\\\"']*\s*[:=]\s*)[^\r\n]+"
    rf"|(?P<lead>[\w-]*{_SECRET}[\w-]*[\\\"']*\s*[=:]\s*)"
    r"(?:b?(?P<quote>\\?[\"'])(?:(?!(?P=quote)).)*|[^\s,;&}\]]+)"
    r"|(?P<code>\bcode=)\d{6}\b",
    re.IGNORECASE,
)
# By shape. The sign-in of a URL comes first: its password may hold anything but white space.
_SHAPED = re.compile(
    r"(?P<login>(?<=://)(?:[^\s/@]*:\S+|[^\s/?\#@]+)(?=@))"
    r"|(?P<email>[\w.!#$%&'*+/=?^`{|}~-]{1,64}(?:@|%40)[\w-]+(?:\.[\w-]+)+)"
    r"|(?P<jwt>ey[\w-]{8,}\.[\w-]+\.[\w-]*)"
    r"|(?:\b|(?<=%[0-9A-Fa-f]{2}))(?P<opaque>o[a-z]{2}_[\w.-]{12,})"
    r"|(?P<hash>\$(?:argon2\w*|2[abxy]|scrypt|pbkdf2[\w-]*|[156y])\$[^\s\"']+)"
    r"|(?P<bearer>(?<=bearer )[^\s\"',;]{6,}|(?<=Bearer )[^\s\"',;]+)"
)
_FRAME = re.compile(r'[\s|+]*File "')
_DEEPEST = 8


def masked(text: str) -> str:
    """Hide e-mail addresses, tokens, password hashes, and whatever is named as a secret."""
    return _SHAPED.sub(_shape, _NAMED.sub(_name, _encodable(text)))


def masked_trace(text: str) -> str:
    """Hide the same in a traceback; lines of source code keep the names they hold."""
    lines, in_frame = [], False
    for line in text.split("\n"):
        lines.append(_SHAPED.sub(_shape, _encodable(line)) if in_frame else masked(line))
        in_frame = _FRAME.match(line) is not None
    return "\n".join(lines)


def cleaned(value: Any, *, depth: int = 0) -> Any:
    """Return a copy made of what JSON knows, secrets hidden at every depth.

    Objects become their `repr`, never their fields: it is `repr` that the house keeps secrets from.
    """
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return int(value) if -(1 << 63) <= value < 1 << 63 else str(value)
    if isinstance(value, str):
        return masked(value)
    if depth > _DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        return {masked(_text(key)): _entry(_text(key), item, depth) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [cleaned(item, depth=depth + 1) for item in value]
    return masked(_text(value))


def is_secret(name: str) -> bool:
    """Say whether what has this name is never written."""
    return _HIDDEN_KEYS.search(name) is not None


def _entry(key: str, item: Any, depth: int) -> Any:
    return HIDDEN if is_secret(key) else cleaned(item, depth=depth + 1)


def _text(value: object) -> str:
    try:
        return value if isinstance(value, str) else str(value)
    except Exception:  # noqa: BLE001 - an object that cannot tell its name must not cost the line
        return f"<{type(value).__name__}>"


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _name(match: re.Match[str]) -> str:
    return (match["head"] or match["lead"] or match["code"]) + (match["quote"] or "") + HIDDEN


def _shape(match: re.Match[str]) -> str:
    if match.lastgroup != "email":
        return HIDDEN
    name, _, domain = match[0].replace("%40", "@").rpartition("@")
    return f"{name[0]}***@{domain}"
