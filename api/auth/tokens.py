"""Tokens: access tokens are signed JWTs (RFC 9068), refresh tokens are MACs.

The algorithm belongs to the key, never to the token; only `typ: at+jwt` of our issuer for our
audience is taken, whatever else a token says about itself (RFC 8725).
"""

import binascii
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import jwt

from api.auth.signing import TYPE, RingKey, SigningRing, encoded, is_canonical
from api.problems import InvalidToken
from ops.crypto import KeyRing, same
from ops.ids import new_id
from storage.sessions import Session

__all__ = ["Claims", "Pair", "RefreshClaims", "SigningRing", "Tokens"]

_REQUIRED = ["exp", "iat", "iss", "aud", "sub", "sid", "jti", "ver"]
_MAX_LENGTH = 4_096
_DOTS = 2
# The clock of the machine that issued a token may be ahead of ours.
_SKEW_SECONDS = 60
# The most that ACCESS_TOKEN_TTL may be.
_LONGEST_LIFE = 7 * 86_400
_REFRESH_PREFIX = "ort_"
_REFRESH_PARTS = 3


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good access token says; it expires at a Unix time."""

    user_id: UUID
    session_id: UUID
    epoch: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class RefreshClaims:
    """What a refresh token says: which generation of which session it is."""

    session_id: UUID
    generation: int


@dataclass(frozen=True, slots=True)
class Pair:
    """What a sign-in gives: two tokens, and how many seconds the first one lives."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int


class Tokens:
    """Issues and verifies."""

    def __init__(
        self, ring: SigningRing, keys: KeyRing, *, issuer: str, audience: str, seconds: int
    ) -> None:
        self._ring = ring
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._seconds = seconds

    @property
    def refresh_key_id(self) -> str:
        """The secret key that new refresh tokens are made under; the session keeps it."""
        return self._keys.writer

    def issue(self, session: Session, role: str) -> Pair:
        """Return the live tokens of a session; the refresh token is the same on every call."""
        return Pair(self._access(session, role), self._refresh(session), self._seconds)

    async def verify(self, token: str) -> Claims:
        """Return what a good access token says; raise InvalidToken for every other string.

        A token of ES256 has a twin, (r, n - s) for (r, s), that is good too: RFC 7518 allows it,
        and it gains nobody anything, since what can be revoked is the session.
        """
        if len(token) > _MAX_LENGTH or token.count(".") != _DOTS or not token.isascii():
            raise InvalidToken
        header, payload, signature = token.split(".")
        key = await self._ring.by_header(header)
        if key is None or not is_canonical(payload) or not is_canonical(signature):
            raise InvalidToken
        try:
            return _claims(self._facts(token, key))
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise InvalidToken from error

    def read_refresh(self, token: str) -> RefreshClaims:
        """Return what a refresh token of ours says; raise InvalidToken, without asking anybody."""
        head, dot, checksum = token.rpartition(".")
        public, _, mac = head.removeprefix(_REFRESH_PREFIX).rpartition(".")
        parts = public.split(".")
        if not dot or not token.startswith(_REFRESH_PREFIX) or len(parts) != _REFRESH_PARTS:
            raise InvalidToken
        # A cookie's bytes that are no UTF-8 are here as surrogates, which nothing encodes.
        if not token.isascii():
            raise InvalidToken
        key_id, session, generation = parts
        if key_id not in self._keys.ids or checksum != _checksum(head):
            raise InvalidToken
        if not same(mac.encode(), self._mac(public, key_id).encode()):
            raise InvalidToken
        return RefreshClaims(UUID(hex=session), int(generation))

    def _facts(self, token: str, key: RingKey) -> dict[str, Any]:
        return jwt.decode(
            token,
            key.public,
            algorithms=[key.algorithm],
            audience=self._audience,
            issuer=self._issuer,
            # `iat` is checked below, with some patience.
            options={"require": _REQUIRED, "strict_aud": True, "verify_iat": False},
        )

    def _access(self, session: Session, role: str) -> str:
        key = self._ring.signer()
        now = int(time.time())
        facts = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(session.user_id),
            "sid": str(session.id),
            "jti": str(new_id()),
            "ver": session.epoch,
            "role": role,
            "iat": now,
            "exp": now + self._seconds,
            "aal": 1,
            "amr": list(session.amr),
            "auth_time": int(session.authenticated_at.timestamp()),
        }
        headers = {"kid": key.id, "typ": TYPE}
        return jwt.encode(facts, key.private, algorithm=key.algorithm, headers=headers)

    def _refresh(self, session: Session) -> str:
        """Key id, session, generation, their MAC, and a checksum that scanners can check."""
        public = f"{session.key_id}.{session.id.hex}.{session.generation}"
        body = f"{_REFRESH_PREFIX}{public}.{self._mac(public, session.key_id)}"
        return f"{body}.{_checksum(body)}"

    def _mac(self, public: str, key_id: str) -> str:
        return encoded(self._keys.mac(public.encode(), purpose="refresh token", key_id=key_id))


def _checksum(text: str) -> str:
    return f"{binascii.crc32(text.encode('utf-8', 'surrogatepass')):08x}"


def _claims(facts: dict[str, Any]) -> Claims:
    issued, expires, epoch = (_whole(facts[name]) for name in ("iat", "exp", "ver"))
    if issued > time.time() + _SKEW_SECONDS or not 0 < expires - issued <= _LONGEST_LIFE:
        raise InvalidToken
    return Claims(UUID(str(facts["sub"])), UUID(str(facts["sid"])), epoch, expires)


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidToken
    return value
