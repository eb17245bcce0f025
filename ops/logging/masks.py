"""What must not leave in a log line: found by its name or by its shape, and hidden."""

import re
from collections.abc import Collection, Mapping
from types import NoneType
from typing import Any
from uuid import UUID

HIDDEN = "[hidden]"

_WORDS = r"(?:pass(?:word|wd|phrase)?|secret|token|cookie|credential|api[_-]?key|otp)"
# What a text must have for a search to be worth its time; "api" alone is in every path of ours.
_NEEDLES = (
    *("pass", "secret", "token", "cookie", "credential", "otp", "auth", "bear", "code"),
    *("apikey", "api_key", "api-key"),
)
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
# Ids, addresses and moments: no word and no shape from above can be made of these.
_nothing_to_hide = re.compile(r"(?:req_)?[0-9a-f.:-]*").fullmatch
_SHORT = 100
_REMEMBERED = 2_048
# Short texts and names that were looked through and held nothing: most lines say the same.
_looked_through: set[str] = set()
_harmless_names: set[str] = set()
_MOST = 1 << 63
# JSON has words for these, and nothing can hide in them.
_PLAIN = frozenset({NoneType, bool, float, UUID})


def shown(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a line's facts, each as `named` has it, only sooner: requests pay for it."""
    copy = {}
    for name, value in facts.items():
        if name in _harmless_names:
            kind = type(value)
            if kind is str:
                harmless = value in _looked_through or _nothing_to_hide(value)
                copy[name] = value if harmless else masked(value)
                continue
            if kind in _PLAIN or (kind is int and -_MOST < value < _MOST):
                copy[name] = value
                continue
        copy[name] = named(name, value)
    return copy


def masked(text: str) -> str:
    """Hide e-mail addresses, tokens, password hashes, and whatever is named as a secret."""
    if text in _looked_through or _nothing_to_hide(text):
        return text
    without = _without_shapes(_without_names(text))
    if without == text:
        _remember(text, _looked_through)
    return without


def _without_names(text: str) -> str:
    lowered = text.lower()
    for needle in _NEEDLES:
        if needle in lowered:
            return _NAMED.sub(_name, text)
    return text


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
    if isinstance(value, int) and abs(value) < _MOST:
        return value
    return masked(_text(value))


def named(name: str, value: Any, *, depth: int = 0) -> Any:
    """Return a copy of what has this name, nothing of it when the name is that of a secret.

    A code that people type is text; a number called code is that of a process or an answer.
    """
    if _HIDDEN_KEYS.search(name):
        return HIDDEN
    if name.lower().endswith("code"):
        return cleaned(value, depth=depth) if isinstance(value, int) else HIDDEN
    _remember(name, _harmless_names)
    return cleaned(value, depth=depth)


def _remember(text: str, texts: set[str]) -> None:
    if len(text) <= _SHORT:
        if len(texts) >= _REMEMBERED:
            texts.clear()
        texts.add(text)


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
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _address(match: re.Match[str]) -> str:
    return f"{match[1][0]}***@{match[2]}"
