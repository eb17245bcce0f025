"""Keys that sign access tokens: private halves rest as envelopes under SECRET_KEYS."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ops.crypto import KeyRing

_PURPOSE = "signing key"

# Web processes that start at once must not make two first keys.
LOCK = "SELECT pg_advisory_xact_lock(4827160092)"

ADD = """
INSERT INTO signing_keys (id, algorithm, public_key, private_key, signs_from)
VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5))
"""

ALL = """
SELECT id, algorithm, public_key, private_key, signs_from FROM signing_keys
WHERE retired_at IS NULL ORDER BY signs_from DESC
"""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair; raw bytes as RFC 8032 writes them."""

    id: str
    algorithm: str
    public_key: bytes
    private_key: bytes = field(repr=False)
    signs_from: datetime


class SigningKeys:
    """Signing keys that are in use or will be."""

    def __init__(self, connection: Any, keys: KeyRing) -> None:
        self._connection = connection
        self._keys = keys

    async def lock(self) -> None:
        """Let one transaction at a time decide whether a key has to be made."""
        await self._connection.execute(LOCK)

    async def add(
        self, key_id: str, *, algorithm: str, public_key: bytes, private_key: bytes, wait: int
    ) -> None:
        """Keep a new key that signs after `wait` seconds."""
        envelope = self._keys.seal(private_key, purpose=_PURPOSE, aad=key_id.encode())
        await self._connection.execute(ADD, key_id, algorithm, public_key, envelope, wait)

    async def all(self) -> list[SigningKey]:
        """Return every key whose tokens are good, the newest first.

        Raises ops.crypto.CannotOpen when SECRET_KEYS lacks the key they were sealed under.
        """
        return [
            SigningKey(
                row["id"],
                row["algorithm"],
                row["public_key"],
                self._keys.open(row["private_key"], purpose=_PURPOSE, aad=row["id"].encode()),
                row["signs_from"],
            )
            for row in await self._connection.fetch(ALL)
        ]
