"""Tokens: access tokens are JWTs signed with Ed25519 (RFC 9068, RFC 8037), refresh tokens MACs.

The algorithm belongs to the key, never to the token; only `typ: at+jwt` of our issuer for our
audience is taken, whatever else a token says about itself (RFC 8725).
"""

import binascii
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from api.problems import InvalidToken
from ops.crypto import KeyRing, same
from ops.errors import Unavailable
from ops.ids import new_id
from storage.database import Database
from storage.sessions import Session
from storage.signing_keys import SigningKey

ALGORITHM = "EdDSA"

_TYPE = "at+jwt"
_REQUIRED = ["exp", "iat", "iss", "aud", "sub", "sid", "jti", "ver"]
_MAX_LENGTH = 4_096
_RELOAD_SECONDS = 30.0
_REFRESH_PREFIX = "ort_"
_REFRESH_PARTS = 3


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good access token says."""

    user_id: UUID
    session_id: UUID
    epoch: int


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


class SigningRing:
    """The signing keys, as this process knows them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._keys: dict[str, SigningKey] = {}
        self._loaded_at = -_RELOAD_SECONDS

    async def load(self) -> None:
        """Read the keys; make the first one when there is none."""
        async with self._database.transaction() as storage:
            keys = await storage.signing_keys.all()
            if not keys:
                await storage.signing_keys.lock()
                keys = await storage.signing_keys.all()
            if not keys:
                await storage.signing_keys.add(**_new_key(), algorithm=ALGORITHM, wait=0)
                keys = await storage.signing_keys.all()
        self._keys = {key.id: key for key in keys}
        self._loaded_at = time.monotonic()

    def signer(self) -> SigningKey:
        """Return the newest key whose time to sign has come."""
        now = time.time()
        return next(key for key in self._keys.values() if key.signs_from.timestamp() <= now)

    async def by_id(self, key_id: object) -> SigningKey | None:
        """Return a key; one we do not know yet may have been made elsewhere, so look, not often."""
        if not isinstance(key_id, str):
            return None
        if key_id not in self._keys and time.monotonic() - self._loaded_at > _RELOAD_SECONDS:
            self._loaded_at = time.monotonic()
            await self.load()
        return self._keys.get(key_id)

    def jwks(self) -> dict[str, Any]:
        """Return the public halves as a JWK set (RFC 7517, RFC 8037)."""
        return {
            "keys": [
                {
                    "kty": "OKP",
                    "crv": "Ed25519",
                    "alg": key.algorithm,
                    "use": "sig",
                    "kid": key.id,
                    "x": _b64(key.public_key),
                }
                for key in self._keys.values()
            ]
        }


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
        """Return what a good access token says; raise InvalidToken for every other string."""
        if len(token) > _MAX_LENGTH or not all(map(_is_canonical, token.split("."))):
            raise InvalidToken
        try:
            header = jwt.get_unverified_header(token)
            key = await self._ring.by_id(header.get("kid"))
            if key is None or header.get("typ") != _TYPE or header.keys() - {"alg", "typ", "kid"}:
                raise InvalidToken
            public = Ed25519PublicKey.from_public_bytes(key.public_key)
            facts = jwt.decode(
                token,
                public,
                algorithms=[key.algorithm],
                audience=self._audience,
                issuer=self._issuer,
                options={"require": _REQUIRED, "strict_aud": True},
            )
            return Claims(UUID(facts["sub"]), UUID(facts["sid"]), _epoch(facts["ver"]))
        except Unavailable:
            raise
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError, KeyError) as error:
            raise InvalidToken from error

    def read_refresh(self, token: str) -> RefreshClaims:
        """Return what a refresh token of ours says; raise InvalidToken, without asking anybody."""
        head, dot, checksum = token.rpartition(".")
        public, _, mac = head.removeprefix(_REFRESH_PREFIX).rpartition(".")
        parts = public.split(".")
        if not dot or not token.startswith(_REFRESH_PREFIX) or len(parts) != _REFRESH_PARTS:
            raise InvalidToken
        key_id, session, generation = parts
        if key_id not in self._keys.ids or checksum != _checksum(head):
            raise InvalidToken
        if not same(mac.encode(), self._mac(public, key_id).encode()):
            raise InvalidToken
        return RefreshClaims(UUID(hex=session), int(generation))

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
        }
        private = Ed25519PrivateKey.from_private_bytes(key.private_key)
        headers = {"kid": key.id, "typ": _TYPE}
        return jwt.encode(facts, private, algorithm=key.algorithm, headers=headers)

    def _refresh(self, session: Session) -> str:
        """Key id, session, generation, their MAC, and a checksum that scanners can check."""
        public = f"{session.key_id}.{session.id.hex}.{session.generation}"
        body = f"{_REFRESH_PREFIX}{public}.{self._mac(public, session.key_id)}"
        return f"{body}.{_checksum(body)}"

    def _mac(self, public: str, key_id: str) -> str:
        return _b64(self._keys.mac(public.encode(), purpose="refresh token", key_id=key_id))


def _new_key() -> dict[str, Any]:
    private = Ed25519PrivateKey.generate()
    raw = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {"key_id": new_id().hex[:16], "public_key": public, "private_key": raw}


def _checksum(text: str) -> str:
    return f"{binascii.crc32(text.encode('utf-8', 'surrogatepass')):08x}"


def _epoch(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidToken
    return value


def _is_canonical(part: str) -> bool:
    """Say whether there is no other spelling of the same bytes: no padding, no stray last bits."""
    try:
        return _b64(urlsafe_b64decode(part + "=" * (-len(part) % 4))) == part
    except ValueError:
        return False


def _b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
