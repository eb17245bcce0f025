"""Requests that may be repeated: the same key and body give the same result for a day.

The claim is committed before the work starts, with a lease; the work's own transaction finishes it
with the result. A crash between commit and answer therefore loses nothing: the repeated request
finds the result. (IETF draft-ietf-httpapi-idempotency-key-header)
"""

from typing import Any
from uuid import UUID

import orjson

from ops.crypto import KeyRing, same
from ops.errors import Kind, Problem
from ops.ids import new_id
from storage.actor import Actor
from storage.claims import Claim

_PURPOSE = "idempotency result"

# Taken over when free, expired, or left behind by a process that died before it finished.
CLAIM = """
INSERT INTO idempotency_keys (id, body_mac, holder, lease_until, expires_at)
VALUES ($1, $2, $3, now() + interval '60 seconds', now() + interval '24 hours')
ON CONFLICT (id) DO UPDATE SET
    body_mac = excluded.body_mac, holder = excluded.holder, lease_until = excluded.lease_until,
    expires_at = excluded.expires_at, result = NULL, created_at = now(), updated_at = now()
WHERE idempotency_keys.expires_at < now()
   OR (idempotency_keys.result IS NULL AND idempotency_keys.lease_until < now()
       AND idempotency_keys.body_mac = excluded.body_mac)
RETURNING true
"""

# Most work is done at once: whoever waits again as long as it took so far does not ask often and is
# not late; after the lease the key is free.
LOOK = """
SELECT body_mac, result,
    ceil(extract(epoch FROM least(now() - created_at, lease_until - now())))::integer AS seconds
FROM idempotency_keys WHERE id = $1
"""

FINISH = """
UPDATE idempotency_keys SET result = $3, updated_at = now()
WHERE id = $1 AND holder = $2 AND result IS NULL
RETURNING true
"""

RELEASE = "DELETE FROM idempotency_keys WHERE id = $1 AND holder = $2 AND result IS NULL"

PURGE = """
DELETE FROM idempotency_keys WHERE id IN (
    SELECT id FROM idempotency_keys WHERE expires_at < now() LIMIT $1
)
"""


class KeyReused(Problem, kind=Kind.UNPROCESSABLE, code="UNPROCESSABLE_ENTITY"):
    """This Idempotency-Key was used with another body. Take a new key for a new request."""


class InFlight(Problem, kind=Kind.CONFLICT, code="CONFLICT"):
    """A request with this Idempotency-Key is still being worked on. Try again in a moment."""


class ClaimLost(Problem, kind=Kind.CONFLICT, code="CONFLICT"):
    """Another request with this Idempotency-Key went first. Repeat yours to get its result."""


class IdempotencyKeys:
    """Claims on keys and their results."""

    def __init__(self, connection: Any, keys: KeyRing, actor: Actor | None) -> None:
        self._connection = connection
        self._keys = keys
        self._actor = actor

    async def claim(self, claim_id: bytes, *, secret: bytes, body_mac: bytes) -> Claim:
        """Take the key, or return the claim with the result of the time before.

        `secret` is the client's key: results are sealed under a key derived from it too.
        Raises KeyReused for another body, InFlight while a living request holds the key: to be
        tried again after as many seconds as it is held already, but at least one.
        """
        holder = new_id()
        if await self._connection.fetchval(CLAIM, claim_id, body_mac, holder):
            return Claim(id=claim_id, holder=holder, secret=secret)
        row = await self._connection.fetchrow(LOOK, claim_id)
        if row is None:
            raise InFlight(retry_after=1)
        if not same(row["body_mac"], body_mac):
            raise KeyReused
        if row["result"] is None:
            raise InFlight(retry_after=max(row["seconds"], 1))
        sealed = self._keys.open(row["result"], purpose=_PURPOSE, aad=claim_id, salt=secret)
        return Claim(id=claim_id, holder=holder, secret=secret, result=orjson.loads(sealed))

    async def keep(self, result: dict[str, str | UUID]) -> None:
        """Finish the actor's claim, if the request came with one, with what can be shown again.

        Raises ClaimLost, which rolls the work back, when the lease ran out and another finished.
        """
        claim = self._actor.claim if self._actor else None
        if claim is None:
            return
        text = orjson.dumps(result)
        sealed = self._keys.seal(text, purpose=_PURPOSE, aad=claim.id, salt=claim.secret)
        if not await self._connection.fetchval(FINISH, claim.id, claim.holder, sealed):
            raise ClaimLost

    async def release(self, claim: Claim) -> None:
        """Give up a claim whose work failed, so that the key can be used again."""
        await self._connection.execute(RELEASE, claim.id, claim.holder)

    async def purge(self, *, limit: int) -> int:
        """Delete keys that are too old to be repeated; return how many."""
        return int((await self._connection.execute(PURGE, limit)).split()[-1])
