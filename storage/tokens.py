"""Opaque tokens and short codes: made or derived, kept as keyed digests only, spent once.

A token's prefix tells secret scanners and logs what it is; the digest is an HMAC under SECRET_KEYS,
so that a dump of the database lets nobody guess even a six-digit code.
"""

import os
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from ops.crypto import KeyRing, same

_BYTES = 32
_CODES = 1_000_000
_MAX_LENGTH = 200

# Guesses at the code of one letter.
MAX_WRONG_CODES = 5


class TokenKind(StrEnum):
    """What a token is for; the value is its prefix."""

    SETUP = "osu_"
    EMAIL_VERIFICATION = "ove_"
    PASSWORD_RESET = "opr_"
    EMAIL_CHANGE = "oec_"
    EMAIL_UNDO = "oeu_"


@dataclass(frozen=True, slots=True)
class TokenAndCode:
    """The two forms in which a letter carries one permission."""

    token: str = field(repr=False)
    code: str = field(repr=False)


def new_token(kind: TokenKind) -> str:
    """Return a random token of 256 bits."""
    return kind + _text(os.urandom(_BYTES))


def derived(kind: TokenKind, keys: KeyRing, *facts: object) -> TokenAndCode:
    """Return the token and code that belong to the facts: the same again on every call.

    A repeated letter therefore carries what the first one did, and nothing has to be stored.
    """
    message = "\x00".join(str(fact) for fact in facts).encode()
    number = int.from_bytes(keys.mac(message, purpose=f"code {kind}")[:8])
    return TokenAndCode(
        token=kind + _text(keys.mac(message, purpose=f"token {kind}")),
        code=f"{number % _CODES:06d}",
    )


def digest(keys: KeyRing, kind: TokenKind, secret: str) -> bytes:
    """Return what is stored in place of a token or code."""
    return keys.mac(secret.encode(), purpose=f"digest {kind}")


def digests(keys: KeyRing, kind: TokenKind, secret: str) -> list[bytes]:
    """Return the digests a presented token or code may be stored under, one per secret key."""
    if len(secret) > _MAX_LENGTH:
        return []
    return keys.macs(secret.encode("utf-8", "surrogatepass"), purpose=f"digest {kind}")


@dataclass(frozen=True, slots=True)
class Guess:
    """One counted guess at a code: the row it was made at and what the code's digest is."""

    id: UUID
    code_mac: bytes = field(repr=False)


def is_right(guess: Guess | None, code: str, *, keys: KeyRing, kind: TokenKind) -> bool:
    """Say whether a guess is the code, under whichever secret key the letter was written.

    Takes as long when there is no letter to guess at.
    """
    expected = guess.code_mac if guess else b""
    return any([same(mac, expected) for mac in digests(keys, kind, code)])  # noqa: C419 - all


def _text(secret: bytes) -> str:
    return urlsafe_b64encode(secret).rstrip(b"=").decode()
