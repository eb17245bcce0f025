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
# As many signatures.
_SIGNATURES = 25
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
        # What those kept outside say: the last row there was, and rows whose checkpoint is forged.
        self._last_outside = 0
        self._forged_outside: list[int] = []
        self._signatures = 0
        self.walk = Walk()

    async def run(self) -> None:
        await self._learn_outside()
        at = (_BEGINNING, datetime.min.replace(tzinfo=UTC))
        while True:
            async with self._database.reading() as storage:
                rows = await storage.ledger.rows(*at, end=self._end, limit=_BATCH)
                signed = await storage.ledger.checkpoints(self._in_question(rows))
            if not rows:
                break
            await self._learn(signed)
            for number, row in enumerate(rows, 1):
                if row["sequence"] > self.walk.sequence + 1:
                    await self._leap(row["sequence"] - 1, row)
                self.walk.step(row)
                if number % _BREATH == 0:
                    await asyncio.sleep(0)
            at = (rows[-1]["sequence"], rows[-1]["sealed_at"])
        self.walk.settle(None)
        await self._finish()

    def _in_question(self, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the rows that are there and those before a gap.

        Others' checkpoints tell nothing, and where months are gone there are millions of them.
        """
        there = {row["sequence"] for row in rows}
        return sorted(there | {row - 1 for row in there if row - 1 > self.walk.sequence})

    async def _is_genuine(self, checkpoint: Checkpoint) -> bool:
        self._signatures += 1
        if self._signatures % _SIGNATURES == 0:
            await asyncio.sleep(0)
        return self._notary.is_genuine(checkpoint)

    def _trust(self, checkpoint: Checkpoint) -> None:
        self.walk.signed.setdefault(checkpoint.sequence, set()).add(checkpoint.hash)

    async def _learn_outside(self) -> None:
        for item in self._outside:
            if await self._is_genuine(item):
                self._trust(item)
                self._last_outside = max(self._last_outside, item.sequence)
            elif self._notary.knows(item.key_id):
                self._forged_outside.append(item.sequence)

    async def _learn(self, checkpoints: Sequence[Checkpoint]) -> None:
        forged = set()
        for item in checkpoints:
            if await self._is_genuine(item):
                self._trust(item)
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

    async def _finish(self) -> None:
        """Check what only the end can tell."""
        if ahead := await self._signed_ahead():
            self._trust(ahead)
            await self._leap(ahead.sequence, None)
        if self._head and not self._notary.is_genuine(self._head):
            reason = "its checkpoint is not signed by a key of SECRET_KEYS"
            raise BrokenError(self._end, reason)
        if self._last_outside > self._end:
            raise BrokenError(self._end + 1, "it is missing: the tail was cut off")
        async with self._database.reading() as storage:
            unsigned = await storage.ledger.unsigned()
        if unsigned is not None:
            raise BrokenError(unsigned, "no checkpoint has signed it")
        if self._forged_outside:
            reason = "a checkpoint of it, kept outside, was forged"
            raise BrokenError(min(self._forged_outside), reason)

    async def _signed_ahead(self) -> Checkpoint | None:
        """Return the newest genuine checkpoint of rows that would follow the last one there is."""
        through = self._end
        while through > self.walk.sequence:
            async with self._database.reading() as storage:
                found = await storage.ledger.newest_checkpoints(
                    self.walk.sequence, through, limit=_BATCH
                )
            for item in found:
                if await self._is_genuine(item):
                    return item
            through = found[-1].sequence - 1 if found else 0
        return None
