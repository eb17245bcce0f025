"""Keys that sign access tokens: private halves rest as envelopes under SECRET_KEYS.

A key is *next* while it only stands in the JWKS, *signing* from `signs_from` until the one after it
signs, then *verifying* until no token of it can be alive, then *retired*.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from ops.crypto import KeyRing
from ops.ids import new_id
from ops.settings import TokenAlgorithm
from storage.key_pairs import KeyPair

_PURPOSE = "signing key"
_ID_LENGTH = 16

# Whoever makes or retires a key does so alone: web processes that start at once must not make two
# first keys.
LOCK = "SELECT pg_advisory_xact_lock(4827160092)"

# Time is that of the statement: the transaction may have begun before it waited for the lock.
ADD = """
INSERT INTO signing_keys (id, algorithm, public_key, private_key, created_at, signs_from)
VALUES ($1, $2, $3, $4, statement_timestamp(), statement_timestamp() + make_interval(secs => $5))
RETURNING signs_from
"""

ALL = """
SELECT id, algorithm, public_key, private_key, signs_from FROM signing_keys
WHERE retired_at IS NULL ORDER BY signs_from DESC, created_at DESC
"""

LISTED = """
SELECT id, algorithm, created_at, signs_from, retired_at,
    CASE WHEN retired_at IS NOT NULL THEN 'retired'
         WHEN signs_from > statement_timestamp() THEN 'next'
         WHEN row_number() OVER (
             PARTITION BY retired_at IS NULL, signs_from <= statement_timestamp()
             ORDER BY signs_from DESC, created_at DESC
         ) = 1 THEN 'signing'
         ELSE 'verifying' END AS state,
    extract(epoch FROM statement_timestamp() - created_at)::float8 AS age
FROM signing_keys ORDER BY retired_at IS NOT NULL, signs_from DESC, created_at DESC
"""

# A retired key signs never again, so that its private half is only a risk.
RETIRE = """
UPDATE signing_keys SET retired_at = statement_timestamp(), private_key = '', updated_at = now()
WHERE id = $1 AND retired_at IS NULL
"""

UNNEEDED = """
SELECT id FROM (
    SELECT id, lead(signs_from) OVER (ORDER BY signs_from, created_at) AS signed_until
    FROM signing_keys WHERE retired_at IS NULL
) AS living
WHERE signed_until < statement_timestamp() - make_interval(secs => $1)
"""

FORGET_EVERYTHING = "INSERT INTO revocations (id) VALUES ($1)"


class KeyState(StrEnum):
    """Where a key stands in its life."""

    NEXT = "next"
    SIGNING = "signing"
    VERIFYING = "verifying"
    RETIRED = "retired"


# Their tokens are good, or will be.
LIVING = (KeyState.NEXT, KeyState.SIGNING, KeyState.VERIFYING)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair, both halves as storage.key_pairs keeps them."""

    id: str
    algorithm: TokenAlgorithm
    public_key: bytes
    private_key: bytes = field(repr=False)
    signs_from: datetime


@dataclass(frozen=True, slots=True)
class ListedKey:
    """What may be told of a key; its age is in seconds."""

    id: str
    algorithm: TokenAlgorithm
    created_at: datetime
    signs_from: datetime
    retired_at: datetime | None
    state: KeyState
    age: float


class SigningKeys:
    """Signing keys that are in use, will be, or were."""

    def __init__(self, connection: Any, keys: KeyRing) -> None:
        self._connection = connection
        self._keys = keys

    async def lock(self) -> None:
        """Let one transaction at a time decide whether a key has to be made or retired."""
        await self._connection.execute(LOCK)

    async def add(self, pair: KeyPair, *, wait: int) -> tuple[str, datetime]:
        """Keep a new key that signs after `wait` seconds; return its id and that moment."""
        key_id = new_id().hex[:_ID_LENGTH]
        envelope = self._keys.seal(pair.private, purpose=_PURPOSE, aad=key_id.encode())
        signs_from = await self._connection.fetchval(
            ADD, key_id, pair.algorithm, pair.public, envelope, wait
        )
        return key_id, signs_from

    async def all(self) -> list[SigningKey]:
        """Return every key whose tokens are good, the newest first.

        Raises ops.crypto.CannotOpen when SECRET_KEYS lacks the key they were sealed under.
        """
        return [
            SigningKey(
                row["id"],
                TokenAlgorithm(row["algorithm"]),
                row["public_key"],
                self._keys.open(row["private_key"], purpose=_PURPOSE, aad=row["id"].encode()),
                row["signs_from"],
            )
            for row in await self._connection.fetch(ALL)
        ]

    async def listed(self) -> list[ListedKey]:
        """Return what may be told of every key there ever was, the living and the newest first."""
        return [
            ListedKey(
                row["id"],
                TokenAlgorithm(row["algorithm"]),
                row["created_at"],
                row["signs_from"],
                row["retired_at"],
                KeyState(row["state"]),
                row["age"],
            )
            for row in await self._connection.fetch(LISTED)
        ]

    async def signing(self) -> ListedKey | None:
        """Return the key that signs now; None before the first web process has started."""
        keys = await self.listed()
        return next((key for key in keys if key.state is KeyState.SIGNING), None)

    async def unneeded(self, *, seconds: int) -> list[str]:
        """Return the keys whose successor has signed for so many seconds."""
        return [row["id"] for row in await self._connection.fetch(UNNEEDED, seconds)]

    async def retire(self, key_id: str) -> None:
        """Take a key out of the JWKS and erase its private half."""
        await self._connection.execute(RETIRE, key_id)

    async def forget_everything(self) -> None:
        """Make every web process forget what it verified and read the keys again, within 1 s."""
        await self._connection.execute(FORGET_EVERYTHING, new_id())
