"""Checkpoints: signed states of the chain. Whoever rewrites it cannot sign what comes out.

The key is Ed25519 (RFC 8032), made of SECRET_KEYS, so that it rests nowhere; its public half is for
auditors. Signed are the sequence, as 8 bytes, and the hash of that row; before that stands the word
"dropped" when what is signed is that the rows up to it may be missing.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ops.crypto import KeyRing

_PURPOSE = "audit checkpoint"
_RELEASE = b"dropped"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The hash of a row of the ledger, signed."""

    sequence: int
    hash: bytes
    key_id: str
    signature: bytes

    def shown(self) -> dict[str, Any]:
        """Return it as files and answers write it."""
        return {
            "sequence": self.sequence,
            "hash": self.hash.hex(),
            "key": self.key_id,
            "signature": self.signature.hex(),
        }

    @classmethod
    def read(cls, shown: dict[str, Any]) -> "Checkpoint":
        """Read what `shown` wrote; raise KeyError, TypeError or ValueError for anything else."""
        return cls(
            int(shown["sequence"]),
            bytes.fromhex(shown["hash"]),
            str(shown["key"]),
            bytes.fromhex(shown["signature"]),
        )


class Notary:
    """Signs states of the chain, and knows its own signatures."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys
        self._private = cache(self._derived)
        self.public_key = cache(self._public)

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Ids of the keys whose signatures we know, the signing one first."""
        return self._keys.ids

    def sign(self, sequence: int, row_hash: bytes) -> Checkpoint:
        """Return the checkpoint of a row."""
        return self._signed(sequence, row_hash, b"")

    def release(self, sequence: int, row_hash: bytes) -> Checkpoint:
        """Return what lets the rows up to one be missing: nobody else can say so."""
        return self._signed(sequence, row_hash, _RELEASE)

    def is_genuine(self, checkpoint: Checkpoint) -> bool:
        """Say whether `sign` made it; False also when SECRET_KEYS lacks its key."""
        return self._is_ours(checkpoint, b"")

    def has_released(self, checkpoint: Checkpoint) -> bool:
        """Say whether `release` made it; False also when SECRET_KEYS lacks its key."""
        return self._is_ours(checkpoint, _RELEASE)

    def knows(self, key_id: str) -> bool:
        """Say whether SECRET_KEYS has a key, so that its signatures can be told from others."""
        return key_id in self._keys.ids

    def _signed(self, sequence: int, row_hash: bytes, word: bytes) -> Checkpoint:
        key_id = self._keys.writer
        signature = self._private(key_id).sign(word + _message(sequence, row_hash))
        return Checkpoint(sequence, row_hash, key_id, signature)

    def _is_ours(self, checkpoint: Checkpoint, word: bytes) -> bool:
        if not self.knows(checkpoint.key_id):
            return False
        try:
            self.public_key(checkpoint.key_id).verify(
                checkpoint.signature, word + _message(checkpoint.sequence, checkpoint.hash)
            )
        except (InvalidSignature, OverflowError):  # no row has a number below 0
            return False
        return True

    def _public(self, key_id: str) -> Ed25519PublicKey:
        """Return what others verify our signatures with."""
        return self._private(key_id).public_key()

    def _derived(self, key_id: str) -> Ed25519PrivateKey:
        seed = self._keys.mac(b"ed25519", purpose=_PURPOSE, key_id=key_id)
        return Ed25519PrivateKey.from_private_bytes(seed)


def _message(sequence: int, row_hash: bytes) -> bytes:
    return sequence.to_bytes(8, "big") + row_hash
