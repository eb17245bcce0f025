"""AES-256-GCM envelopes, keyed digests and blind indexes under SECRET_KEYS.

Every use names a purpose; each purpose has its own key, derived by HKDF (RFC 5869), so that a value
made for one purpose is noise for every other.
"""

import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION = 1
_NONCE_BYTES = 12
_KEY_BYTES = 32


class CannotOpen(Exception):  # noqa: N818 - read as a sentence where it is caught
    """An envelope was made under a key we do not have, for another purpose, or was changed."""


@dataclass(frozen=True, slots=True)
class SecretKey:
    """One entry of SECRET_KEYS: its id as written into envelopes, and at least 32 bytes."""

    id: str
    material: bytes = field(repr=False)


class KeyRing:
    """All secret keys: the first one writes, every one reads."""

    def __init__(self, keys: Sequence[SecretKey]) -> None:
        if not keys:
            raise ValueError("SECRET_KEYS is empty")
        self._keys = {key.id: key for key in keys}
        self._writer = keys[0].id
        self._derived: dict[tuple[str, str], bytes] = {}

    @property
    def writer(self) -> str:
        """The id of the key that new values are made under."""
        return self._writer

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of all keys, the writing one first."""
        return tuple(self._keys)

    def seal(self, plaintext: bytes, *, purpose: str, aad: bytes = b"", salt: bytes = b"") -> bytes:
        """Encrypt: version byte, key id and its length, 96-bit nonce, AES-256-GCM ciphertext.

        `aad` binds the envelope to its place (a row id), so that it cannot be moved to another.
        `salt` is a secret of somebody else's: without it, not even we can open the envelope.
        """
        key_id = self._writer.encode()
        head = bytes((_VERSION, len(key_id))) + key_id
        nonce = os.urandom(_NONCE_BYTES)
        cipher = AESGCM(self._key(self._writer, purpose, salt))
        return head + nonce + cipher.encrypt(nonce, plaintext, head + aad)

    def open(self, envelope: bytes, *, purpose: str, aad: bytes = b"", salt: bytes = b"") -> bytes:
        """Decrypt what `seal` made for the same purpose and place; raise CannotOpen otherwise."""
        try:
            version, length = envelope[0], envelope[1]
            head, rest = envelope[: 2 + length], envelope[2 + length :]
            key_id = head[2:].decode()
            if version != _VERSION or key_id not in self._keys:
                raise CannotOpen
            cipher = AESGCM(self._key(key_id, purpose, salt))
            return cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], head + aad)
        except (IndexError, UnicodeDecodeError, ValueError, InvalidTag) as error:
            raise CannotOpen from error

    def mac(self, message: bytes, *, purpose: str, key_id: str | None = None) -> bytes:
        """HMAC-SHA256 under the purpose's key, of the writing key unless another is named."""
        return hmac.digest(self._key(key_id or self._writer, purpose), message, sha256)

    def macs(self, message: bytes, *, purpose: str) -> list[bytes]:
        """Return the digest under every key, the writing one first: what a look-up has to try."""
        return [self.mac(message, purpose=purpose, key_id=key_id) for key_id in self._keys]

    def _key(self, key_id: str, purpose: str, salt: bytes = b"") -> bytes:
        if salt:  # one per caller: keeping them would keep the callers' secrets, and grow
            return self._derive(key_id, purpose, salt)
        known = self._derived.get((key_id, purpose))
        if known is None:
            known = self._derived[key_id, purpose] = self._derive(key_id, purpose, None)
        return known

    def _derive(self, key_id: str, purpose: str, salt: bytes | None) -> bytes:
        info = b"ostiary/1/" + purpose.encode()
        hkdf = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=salt, info=info)
        return hkdf.derive(self._keys[key_id].material)


def key_id_of(envelope: bytes) -> str:
    """Return the id of the key an envelope says it was made under: who cannot open it may ask."""
    return envelope[2 : 2 + envelope[1]].decode(errors="replace") if len(envelope) > 1 else ""


def same(left: bytes, right: bytes) -> bool:
    """Compare two digests in constant time."""
    return hmac.compare_digest(left, right)
