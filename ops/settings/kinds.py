"""Kinds of settings: how the text of an environment variable becomes a typed value.

A kind is a function from text to value that raises ValueError with a sentence naming the cure.
"""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from ops.crypto import SecretKey

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Kind = Callable[[str], T]

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"([0-9]{1,12})([smhd]?)")
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_RATE = re.compile(r"([0-9]{1,7})/([0-9]*[smhd]|[0-9]+)")
_ORIGIN = re.compile(r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.IGNORECASE)
_SHARE = re.compile(r"[0-9]{1,3}(\.[0-9]{1,12})?|\.[0-9]{1,12}")
_PAIR_NAME = re.compile(r"[A-Za-z0-9!#$%&*+.^_`|~-]{1,100}")
# Sentry also shows DSNs with a secret behind the key, which it does not ask for any more.
_DSN = re.compile(r"https?://[A-Za-z0-9]+(:[A-Za-z0-9]+)?@[A-Za-z0-9.:\[\]-]+(/[\w.-]+)*/[0-9]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_MIN_KEY_BYTES = 32
_MOST_EVENTS = 1_000_000
_LAST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Rate:
    """So many events in so many seconds."""

    limit: int
    seconds: int


def text(value: str) -> str:
    """Take one line of any text."""
    if _CONTROL.search(value):
        raise ValueError("write one line without control characters")
    return value


def integer(low: int, high: int) -> Kind[int]:
    """Take a whole number from low to high."""

    def parse(value: str) -> int:
        if not _NUMBER.fullmatch(value) or not low <= int(value) <= high:
            raise ValueError(f"write a whole number from {low} to {high}")
        return int(value)

    return parse


def duration(low: int, high: int) -> Kind[int]:
    """Take 90, 90s, 15m, 1h or 7d; give seconds, between low and high."""

    def parse(value: str) -> int:
        match = _DURATION.fullmatch(value.strip())
        seconds = int(match[1]) * _UNITS[match[2] or "s"] if match else -1
        if not low <= seconds <= high:
            raise ValueError(f"write a duration such as 15m, 1h or 7d ({low}s to {high}s)")
        return seconds

    return parse


def rate(value: str) -> Rate | None:
    """Take 100/15m, or off for no limit (None)."""
    if value.lower() == "off":
        return None
    match = _RATE.fullmatch(value)
    limit, window = (int(match[1]), match[2]) if match else (0, "0")
    try:
        seconds = duration(1, 86_400)(window if window[0].isdigit() else f"1{window}")
    except ValueError:
        limit = 0
    if not 1 <= limit <= _MOST_EVENTS:
        raise ValueError("write a rate such as 100/15m, or off")
    return Rate(limit, seconds)


def choice(options: type[E]) -> Kind[E]:
    """Take one of the values of an enum, however it is spelled."""
    by_name = {option.lower(): option for option in options}

    def parse(value: str) -> E:
        try:
            return by_name[value.lower()]
        except KeyError:
            raise ValueError("choose one of " + ", ".join(options)) from None

    return parse


def url(*schemes: str) -> Kind[str]:
    """Take an absolute URL with one of the schemes; empty means not set."""

    def parse(value: str) -> str:
        try:
            parts = urlsplit(value)
            _ = parts.port
        except ValueError:
            raise ValueError(
                "write the port of this URL as a number from 1 to 65535, an IPv6 address in [ ]"
            ) from None
        if _CONTROL.search(value):
            raise ValueError("write this URL in one line without control characters")
        if parts.scheme not in schemes or not (parts.netloc or parts.path or parts.query):
            raise ValueError(
                "write a URL that starts with " + " or ".join(f"{s}://" for s in schemes)
            )
        return value

    return optional(parse)


def origin(value: str) -> str:
    """Take scheme://host[:port] of a web origin, without path; empty means not set."""
    if not value:
        return ""
    match = _ORIGIN.fullmatch(value.rstrip("/"))
    if not match or int((match[2] or ":1")[1:]) not in range(1, _LAST_PORT + 1):
        raise ValueError(
            "write an address such as https://auth.example.com, without path or sign-in"
        )
    return match[0].lower()


def origins(value: str) -> tuple[str, ...]:
    """Take a comma-separated list of web origins, or * for all."""
    return tuple(item if item == "*" else origin(item) for item in _items(value))


def networks(value: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Take a comma-separated list of addresses or networks (10.0.0.0/8, ::1)."""
    try:
        return tuple(ip_network(item, strict=False) for item in _items(value))
    except ValueError:
        raise ValueError("write addresses or networks such as 10.0.0.0/8, 127.0.0.1") from None


def share(value: str) -> float:
    """Take a part of the whole, from 0 to 1."""
    if not _SHARE.fullmatch(value) or not 0 <= float(value) <= 1:
        raise ValueError("write a number from 0 to 1, such as 0.05")
    return float(value)


def pairs(value: str) -> tuple[tuple[str, str], ...]:
    """Take name=value,name=value, percent-encoded as OpenTelemetry has it."""
    return tuple(_named_value(item) for item in _items(value))


def _named_value(item: str) -> tuple[str, str]:
    name, sign, value = (part.strip() for part in item.partition("="))
    text = unquote(value)
    if not sign or not _PAIR_NAME.fullmatch(name) or _CONTROL.search(text):
        raise ValueError("write name=value, comma separated")
    return name, text


def dsn(value: str) -> str:
    """Take the address of a Sentry project; empty means not set."""
    if value and not _DSN.fullmatch(value):
        raise ValueError("write the DSN as Sentry shows it: https://key@host/number")
    return value


def optional(kind: Kind[str]) -> Kind[str]:
    """Let empty text through, as not set."""
    return lambda value: kind(value) if value else ""


def secret_keys(value: str) -> tuple[SecretKey, ...]:
    """Take `id:base64,id:base64`: 32 bytes or more each, the first one writes."""
    keys = tuple(_secret_key(item) for item in _items(value))
    if len({key.id for key in keys}) != len(keys):
        raise ValueError("every key needs an id of its own")
    return keys


def _secret_key(item: str) -> SecretKey:
    key_id, colon, encoded = item.partition(":")
    if not colon or not _KEY_ID.fullmatch(key_id):
        raise ValueError("write id:base64, the id of letters and digits (make one: make key)")
    try:
        material = base64.b64decode(encoded, altchars=b"-_", validate=True)
    except ValueError:  # binascii.Error is one, text that is not ASCII makes another
        raise ValueError(f"the key {key_id} is not base64 (make one: make key)") from None
    if len(material) < _MIN_KEY_BYTES:
        raise ValueError(f"the key {key_id} is shorter than 32 bytes (make one: make key)")
    return SecretKey(key_id, material)


def _items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]
