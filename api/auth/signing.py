"""SigningRing: the keys that sign access tokens, as one web process knows them.

A key is found by the whole header of a token, byte by byte as we write it (RFC 7515, section 4).
The algorithm therefore comes from the key, and no member of a header is ever followed: there is
nothing for `alg`, `jku`, `jwk`, `x5u`, `crit` or a path in `kid` to reach (RFC 8725).
"""

import asyncio
import json
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any, NoReturn

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from ops.crypto import CannotOpen
from ops.errors import Unavailable
from ops.logging import get_logger
from ops.settings import TokenAlgorithm
from storage.database import Database
from storage.key_pairs import PrivateKey, PublicKey, read_private, read_public
from storage.key_rotation import ensure_key
from storage.signing_keys import SigningKey

TYPE = "at+jwt"  # RFC 9068; written like this and in no other case

_RELOAD_SECONDS = 30.0
# A stranger may send any number of tokens whose key nobody knows.
_LOOK_SECONDS = 2.0
_OURS = re.compile(
    rb'\{"alg":"(?:EdDSA|ES256|RS256)","kid":"[0-9a-f]{16}","typ":"at\+jwt"\}', re.ASCII
)
_LONGEST_HEADER = 120

_SEALED = "A signing key was sealed under a secret key that SECRET_KEYS lacks. Put that key back."

_log = get_logger()


@dataclass(frozen=True, slots=True)
class RingKey:
    """A signing key ready for use; `header` is the first part of every token it signs."""

    id: str
    algorithm: TokenAlgorithm
    signs_from: float
    header: str
    private: PrivateKey = field(repr=False)
    public: PublicKey

    @classmethod
    def of(cls, key: SigningKey) -> "RingKey":
        """Read a key as it is kept."""
        header = {"alg": key.algorithm, "kid": key.id, "typ": TYPE}
        return cls(
            key.id,
            key.algorithm,
            key.signs_from.timestamp(),
            encoded(json.dumps(header, separators=(",", ":")).encode()),
            read_private(key.algorithm, key.private_key),
            read_public(key.algorithm, key.public_key),
        )

    @property
    def jwk(self) -> dict[str, Any]:
        """The public half as a JWK (RFC 7517, 7518, 8037)."""
        named = {"alg": str(self.algorithm), "use": "sig", "kid": self.id}
        if isinstance(self.public, RSAPublicKey):
            jwk = RSAAlgorithm.to_jwk(self.public, as_dict=True)
        elif isinstance(self.public, EllipticCurvePublicKey):
            jwk = ECAlgorithm.to_jwk(self.public, as_dict=True)
        else:
            jwk = OKPAlgorithm.to_jwk(self.public, as_dict=True)
        return {name: jwk[name] for name in jwk if name != "key_ops"} | named


class SigningRing:
    """The signing keys, the newest first."""

    def __init__(
        self, database: Database, *, algorithm: TokenAlgorithm = TokenAlgorithm.EDDSA
    ) -> None:
        self._database = database
        self._algorithm = algorithm
        self._keys: dict[str, RingKey] = {}
        self._loading = asyncio.Lock()
        self._looking = asyncio.Lock()
        self._looked_at = -_LOOK_SECONDS
        self._look_failed = False

    async def load(self) -> None:
        """Read the keys; make one when there is none. Raises Unavailable when they cannot be read.

        The first time also when the newest is not of our algorithm. Only then: processes of two
        settings would otherwise go on making keys against each other.
        """
        async with self._loading:  # an earlier look must not overtake a later one
            rows = await self._rows() if self._keys else []
            if not rows:
                await ensure_key(self._database, self._algorithm)
                rows = await self._rows()
            self._keys = {key.header: key for key in map(RingKey.of, rows)}

    async def watch(self, *, every: float = _RELOAD_SECONDS) -> NoReturn:
        """Read the keys again and again, whatever fails; says so once each time it begins to."""
        failed = False
        while True:
            await asyncio.sleep(every)
            try:
                await self.load()
                failed = False
            except Exception as error:  # noqa: BLE001 - nobody would notice that this has ended
                if not failed:
                    reason = f"{type(error).__name__}: {error}"
                    _log.warning("signing keys cannot be read", reason=reason)
                failed = True

    def signer(self) -> RingKey:
        """Return the newest key whose time to sign has come.

        The oldest when none has: the database's clock, which says when, may be ahead of ours.
        """
        now, keys = time.time(), list(self._keys.values())
        return next((key for key in keys if key.signs_from <= now), keys[-1])

    async def by_header(self, header: str) -> RingKey | None:
        """Return the key that writes this first part of a token; None: it is not one of ours.

        A key made elsewhere a moment ago is looked up. Raises Unavailable when that fails.
        """
        if header not in self._keys and _may_be_ours(header):
            await self._look()
        return self._keys.get(header)

    def jwks(self) -> dict[str, Any]:
        """Return the public halves as a JWK set (RFC 7517)."""
        return {"keys": [key.jwk for key in self._keys.values()]}

    async def _look(self) -> None:
        async with self._looking:  # who comes meanwhile waits for the same look
            if time.monotonic() - self._looked_at < _LOOK_SECONDS:
                if self._look_failed:
                    raise Unavailable
                return
            self._looked_at, self._look_failed = time.monotonic(), True
            await self.load()
            self._look_failed = False

    async def _rows(self) -> list[SigningKey]:
        async with self._database.reading() as storage:
            try:
                return await storage.signing_keys.all()
            except CannotOpen as error:
                raise Unavailable(_SEALED) from error


def encoded(data: bytes) -> str:
    """Return base64url without padding (RFC 7515)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def is_canonical(part: str) -> bool:
    """Say whether there is no other spelling of the same bytes: no padding, no stray last bits."""
    try:
        return encoded(urlsafe_b64decode(part + "=" * (-len(part) % 4))) == part
    except ValueError:
        return False


def _may_be_ours(header: str) -> bool:
    if len(header) > _LONGEST_HEADER or not is_canonical(header):
        return False
    return _OURS.fullmatch(urlsafe_b64decode(header + "=" * (-len(header) % 4))) is not None
