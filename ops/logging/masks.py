"""What must not leave in a log line: found by its name or by its shape, and hidden."""

import re
from collections.abc import Collection, Mapping
from typing import Any

HIDDEN = "[hidden]"

_WORDS = r"(?:pass(?:word|wd|phrase)?|secret|token|cookie|credential|api[_-]?key|otp)"
_NEEDLES = ("pass", "secret", "token", "cookie", "credential", "api", "otp", "auth", "bear", "code")
_HIDDEN_KEYS = re.compile(rf"{_WORDS}|authorization", re.IGNORECASE)
# By name: password=..., "token": "...", Cookie: ... (a header goes to the end of its line).
_NAMED = re.compile(
    r"(?P<head>\b(?:set-)?cookie\s*:\s*|\b(?:proxy-)?authorization[\\\"']*\s*[:=]\s*)[^\r\n]+"
    rf"|(?P<lead>{_WORDS}[\w-]{{0,40}}[\\\"']*\s*[=:]\s*)"
    r"(?:b?(?P<quote>\\?[\"'])(?:(?!(?P=quote)).)*|[^\s,;&}\]]+)"
    r"|(?P<code>\bcode=)\d{6}\b|(?P<bearer>\bbearer\s+)[^\s\"',;]{6,}",
    re.IGNORECASE,
)
# By shape, each with what has to be in a text for a search to be worth its time. Every repetition
# is bounded or cannot fail late: a long hostile text must not cost a second.
# The sign-in of a URL comes first: its password may hold anything but white space.
_SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("://", re.compile(r"(?<=://)(?:[^\s/@]{0,200}:\S{1,200}|[^\s/?\#@]{1,200})(?=@)")),
    ("ey", re.compile(r"(?:(?<![\w-])|(?<=%[0-9A-Fa-f]{2}))ey[\w-]{8,}\.[\w-]+\.[\w-]*")),
    ("_", re.compile(r"(?:\b|(?<=%[0-9A-Fa-f]{2}))o[a-z]{2}_[\w.-]{12,}")),
    ("$", re.compile(r"\$(?:argon2\w*|2[abxy]|scrypt|pbkdf2[\w-]*|[156y])\$[^\s\"']+")),
)
_EMAIL = re.compile(r"([\w.!#$%&'*+/=?^`{|}~-]{1,64})(?:@|%40)([\w-]+(?:\.[\w-]+)+)")
_FRAME = re.compile(r'[\s|+]*File "')
_DEEPEST = 8


def masked(text: str) -> str:
    """Hide e-mail addresses, tokens, password hashes, and whatever is named as a secret."""
    lowered = text.lower()
    if any(word in lowered for word in _NEEDLES):
        text = _NAMED.sub(_name, text)
    return _without_shapes(text)


def masked_trace(text: str) -> str:
    """Hide the same in a traceback; lines of source code keep the names they hold."""
    lines, in_frame = [], False
    for line in text.split("\n"):
        lines.append(_without_shapes(line) if in_frame else masked(line))
        in_frame = _FRAME.match(line) is not None
    return "\n".join(lines)


def cleaned(value: Any, *, depth: int = 0) -> Any:
    """Return a copy made of what JSON knows, secrets hidden at every depth.

    Objects become their `repr`, never their fields: it is `repr` that the house keeps secrets from.
    """
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, (Mapping, list, tuple, set, frozenset)):
        return _contents(value, depth + 1) if depth < _DEEPEST else "..."
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, int) and abs(value) < 1 << 63:
        return value
    return masked(_text(value))


def named(name: str, value: Any, *, depth: int = 0) -> Any:
    """Return a copy of what has this name, nothing of it when the name is that of a secret.

    A code that people type is text; a number called code is that of a process or an answer.
    """
    typed = name.lower().endswith("code") and not isinstance(value, int)
    return HIDDEN if typed or _HIDDEN_KEYS.search(name) else cleaned(value, depth=depth)


def _contents(value: Collection[Any], depth: int) -> Any:
    if not isinstance(value, Mapping):
        return [cleaned(item, depth=depth) for item in value]
    pairs = ((_text(key), item) for key, item in value.items())
    return {masked(key): named(key, item, depth=depth) for key, item in pairs}


def _text(value: object) -> str:
    try:
        return value if isinstance(value, str) else str(value)
    except Exception:  # noqa: BLE001 - an object that cannot tell its name must not cost the line
        return f"<{type(value).__name__}>"


def _name(match: re.Match[str]) -> str:
    kept: str = next(filter(None, match.group("head", "lead", "code", "bearer")))
    return f"{kept}{match['quote'] or ''}{HIDDEN}"


def _without_shapes(text: str) -> str:
    for needle, shape in _SHAPES:
        if needle in text:
            text = shape.sub(HIDDEN, text)
    if "@" in text or "%40" in text:
        text = _EMAIL.sub(_address, text)
    return text.encode("utf-8", "backslashreplace").decode()


def _address(match: re.Match[str]) -> str:
    return f"{match[1][0]}***@{match[2]}"
