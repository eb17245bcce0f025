"""Walks the chain and names the first row that is not what was sealed.

Every row must follow the one before, hash to what it says, and agree with every checkpoint, those
kept outside the database too. The chain ends where the newest checkpoint says, and begins at 1 or
where a signed event says that older months were dropped.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ops.crypto import KeyRing
from storage.database import Database
from storage.ledger.checkpoints import Checkpoint, Notary
from storage.ledger.walk import BrokenError, Walk

_BATCH = 1_000
# Rows between two breaths, some five milliseconds of hashing: others wait on the same loop.
_BREATH = 500
# Before the first sequence that a table can hold: by force, rows can be numbered below 1.
_BEGINNING = -(2**63)


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


async def verify(database: Database, keys: KeyRing, outside: Sequence[Checkpoint] = ()) -> Verdict:
    """Verify the whole chain against its checkpoints and those kept `outside` the database.

    Those must have been read before: what is sealed meanwhile would seem to be missing.
    """
    async with database.reading() as storage:
        head = await storage.ledger.head()
    verification = _Verification(database, Notary(keys), head, outside)
    try:
        await verification.run()
    except BrokenError as broken:
        return Verdict(
            valid=False,
            checked=verification.walk.checked,
            head=head,
            first_broken=broken.sequence,
            reason=broken.reason,
        )
    return Verdict(valid=True, checked=verification.walk.checked, head=head)


class _Verification:
    """One verification; every method raises BrokenError for what it finds."""

    def __init__(
        self,
        database: Database,
        notary: Notary,
        head: Checkpoint | None,
        outside: Sequence[Checkpoint],
    ) -> None:
        self._database = database
        self._notary = notary
        self._head = head
        self._end = head.sequence if head else 0
        self._outside = outside
        self._genuine = [item for item in outside if notary.is_genuine(item)]
        self.walk = Walk()

    async def run(self) -> None:
        for item in self._genuine:
            self.walk.signed.setdefault(item.sequence, set()).add(item.hash)
        at = (_BEGINNING, datetime.min.replace(tzinfo=UTC))
        while True:
            async with self._database.reading() as storage:
                rows = await storage.ledger.rows(*at, end=self._end, limit=_BATCH)
                through = rows[-1]["sequence"] if rows else self._end
                signed = await storage.ledger.checkpoints(self.walk.sequence, through)
            self._learn(signed)
            if not rows:
                break
            for number, row in enumerate(rows, 1):
                if row["sequence"] > self.walk.sequence + 1:
                    await self._leap(row["sequence"] - 1, row)
                self.walk.step(row)
                if number % _BREATH == 0:
                    await asyncio.sleep(0)
            at = (rows[-1]["sequence"], rows[-1]["sealed_at"])
        self.walk.settle(None)
        await self._finish(signed)

    def _learn(self, checkpoints: Sequence[Checkpoint]) -> None:
        forged = set()
        for item in checkpoints:
            if self._notary.is_genuine(item):
                self.walk.signed.setdefault(item.sequence, set()).add(item.hash)
            elif self._notary.knows(item.key_id):
                forged.add(item.sequence)
        self.walk.forged = forged

    async def _leap(self, through: int, row: Mapping[str, Any] | None) -> None:
        """Go past rows that are not there, if they were dropped with a whole month."""
        self.walk.settle(row)
        async with self._database.reading() as storage:
            notices = await storage.ledger.dropped()
            oldest = await storage.ledger.oldest()
        first = self.walk.sequence + 1
        # Months go oldest first: what was dropped leaves nothing before it.
        if oldest is None or oldest > through:
            for notice in notices:
                if notice.sequence == through and self._notary.has_released(notice):
                    self.walk.leap(through, notice.hash)
                    return
        reason = "it is missing" if first == through else f"rows {first} to {through} are missing"
        raise BrokenError(first, reason if row else f"{reason}: the tail was cut off")

    async def _finish(self, ahead: Sequence[Checkpoint]) -> None:
        """Check what only the end can tell, given the checkpoints that no row was found for."""
        known = [item.sequence for item in ahead if self._notary.is_genuine(item)]
        if max(known, default=0) > self.walk.sequence:
            await self._leap(max(known), None)
        if self._head and not self._notary.is_genuine(self._head):
            reason = "its checkpoint is not signed by a key of SECRET_KEYS"
            raise BrokenError(self._end, reason)
        if max((item.sequence for item in self._genuine), default=0) > self._end:
            raise BrokenError(self._end + 1, "it is missing: the tail was cut off")
        async with self._database.reading() as storage:
            unsigned = await storage.ledger.unsigned()
        if unsigned is not None:
            raise BrokenError(unsigned, "no checkpoint has signed it")
        self._check_outside()

    def _check_outside(self) -> None:
        forged = [
            item.sequence
            for item in self._outside
            if self._notary.knows(item.key_id) and not self._notary.is_genuine(item)
        ]
        if forged:
            raise BrokenError(min(forged), "a checkpoint of it, kept outside, was forged")
