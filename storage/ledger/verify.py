"""Walks the chain and names the first row that is not what was sealed.

Every row must follow the one before, hash to what it says, and agree with every checkpoint, those
kept outside the database too. The chain ends where the newest checkpoint says, and begins at 1 or
where an event of the chain itself says that older months were dropped.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ops.crypto import KeyRing
from storage.database import Database
from storage.ledger.chain import GENESIS, Sealed, personal_hash
from storage.ledger.checkpoints import Checkpoint, Notary

_BATCH = 5_000
# Tells in the chain up to which row older months were dropped.
DROPPED = "audit.months_dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a verification found."""

    valid: bool
    # Rows looked at, and the newest checkpoint.
    checked: int
    head: Checkpoint | None
    # Sequence of the first row that is changed, missing or not ours; and what is wrong with it.
    first_broken: int | None = None
    reason: str | None = None


class _BrokenError(Exception):
    """The chain breaks at a row."""

    def __init__(self, sequence: int, reason: str) -> None:
        super().__init__(reason)
        self.sequence = sequence
        self.reason = reason


@dataclass(slots=True)
class _Walk:
    """Where a walk along the chain is."""

    signed: Mapping[int, Checkpoint]
    sequence: int = 0
    hash: bytes = GENESIS
    first: int = 1
    checked: int = 0
    dropped: set[int] = field(default_factory=set)
    # A row that does not follow from the one before: which of the two it is, the next one tells.
    doubted: Sealed | None = None

    def step(self, row: Mapping[str, Any]) -> None:
        """Go on to a row; raise _BrokenError."""
        facts = dict(row)
        stored, salt, address = facts.pop("hash"), facts.pop("salt"), facts.pop("address")
        sealed = Sealed(**facts)
        if self.checked == 0 and sealed.sequence > 1:
            self.first, self.sequence = sealed.sequence, sealed.sequence - 1
            self.hash = sealed.previous_hash
            self._agree(self.sequence, self.hash)
        self._settle_doubt(sealed)
        if sealed.sequence > self.sequence + 1:
            raise _BrokenError(self.sequence + 1, "it is missing")
        if sealed.sequence <= self.sequence:
            raise _BrokenError(sealed.sequence, "there are two of it")
        if sealed.hash != stored:
            raise _BrokenError(sealed.sequence, "it was changed")
        if salt is not None and personal_hash(salt, address) != sealed.personal_hash:
            raise _BrokenError(sealed.sequence, "its personal data were changed")
        if sealed.previous_hash != self.hash:
            self.doubted = sealed
        self.sequence, self.hash = sealed.sequence, stored
        self.checked += 1
        if not self.doubted:
            self._agree(sealed.sequence, stored)
        if sealed.action == DROPPED:
            self.dropped.add(int(sealed.facts.get("through", 0)))

    def finish(self) -> None:
        """Check what only the end can tell; raise _BrokenError."""
        if self.doubted:
            raise _BrokenError(self.doubted.sequence - 1, "it was changed")
        if self.first > 1 and self.first - 1 not in self.dropped:
            raise _BrokenError(1, f"rows 1 to {self.first - 1} are missing")

    def _settle_doubt(self, following: Sealed) -> None:
        if self.doubted is None:
            return
        genuine = following.previous_hash == self.hash
        at = self.doubted.sequence
        raise _BrokenError(at - 1 if genuine and at > self.first else at, "it was changed")

    def _agree(self, sequence: int, row_hash: bytes) -> None:
        checkpoint = self.signed.get(sequence)
        if checkpoint and checkpoint.hash != row_hash:
            raise _BrokenError(sequence, "it is not what a checkpoint has signed")


async def verify(database: Database, keys: KeyRing, outside: Sequence[Checkpoint] = ()) -> Verdict:
    """Verify the whole chain against its checkpoints and those kept `outside` the database."""
    notary = Notary(keys)
    async with database.reading() as storage:
        head = await storage.ledger.head()
    walk = _Walk({})
    try:
        _check_outside(notary, outside, head)
        await _walk_to(database, walk, head, notary=notary, outside=outside)
    except _BrokenError as broken:
        return Verdict(
            valid=False,
            checked=walk.checked,
            head=head,
            first_broken=broken.sequence,
            reason=broken.reason,
        )
    return Verdict(valid=True, checked=walk.checked, head=head)


def _check_outside(notary: Notary, outside: Sequence[Checkpoint], head: Checkpoint | None) -> None:
    end = head.sequence if head else 0
    if head and not notary.is_genuine(head):
        raise _BrokenError(head.sequence, "its checkpoint is not signed by a key of SECRET_KEYS")
    genuine = [item.sequence for item in outside if notary.is_genuine(item)]
    if max(genuine, default=0) > end:
        raise _BrokenError(end + 1, "it is missing: the tail was cut off")


async def _walk_to(
    database: Database,
    walk: _Walk,
    head: Checkpoint | None,
    *,
    notary: Notary,
    outside: Sequence[Checkpoint],
) -> None:
    end = head.sequence if head else 0
    known = {item.sequence: item for item in outside if notary.is_genuine(item)}
    at = datetime.min.replace(tzinfo=UTC)
    while True:
        async with database.reading() as storage:
            rows = await storage.ledger.rows(walk.sequence, at, end=end, limit=_BATCH)
            if not rows:
                unsigned = await storage.ledger.unsigned()
                break
            signed = await storage.ledger.checkpoints(walk.sequence, rows[-1]["sequence"])
        walk.signed = known | {item.sequence: item for item in signed if notary.is_genuine(item)}
        for row in rows:
            walk.step(row)
        at = rows[-1]["sealed_at"]
        await asyncio.sleep(0)
    walk.finish()
    if walk.sequence < end:
        raise _BrokenError(walk.sequence + 1, "it is missing: the tail was cut off")
    if unsigned is not None:
        raise _BrokenError(unsigned, "no checkpoint has signed it")
