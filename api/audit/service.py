"""Rules of reading the audit trail: who looks is written down, too."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from api.audit.verification import Verification
from api.context import Call
from storage.audit import Outcome
from storage.database import Database
from storage.ledger.batches import batches
from storage.ledger.formats import Format
from storage.ledger.records import AuditEvent, AuditRecord
from storage.pages import Page, Window

# Rows written at once: between two such pieces others have their turn.
_PIECE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a verification found, as it is answered."""

    valid: bool
    checked: int
    head: Mapping[str, Any] | None
    first_broken: int | None
    reason: str | None
    finished_at: datetime


class AuditService:
    """Searches, exports and verifies what happened."""

    def __init__(self, *, database: Database, verification: Verification) -> None:
        self._database = database
        self._verification = verification

    async def page(self, window: Window, call: Call) -> Page[AuditEvent]:
        """Search; the search itself is an event that the same search does not find."""
        async with self._database.reading(call.actor) as storage:
            page = await storage.trail.page(window)
            await storage.audit.note(
                "audit.searched", count=len(page.items), filters=_narrowed(window)
            )
        return page

    async def get(self, event_id: UUID, call: Call) -> AuditRecord:
        """Return an event with its place in the chain; raise EventNotFound."""
        async with self._database.reading(call.actor) as storage:
            record = await storage.trail.by_id(event_id)
            await storage.audit.note("audit.read", subject=record.subject_id, event=str(event_id))
        return record

    async def export(self, window: Window, form: Format, call: Call) -> AsyncGenerator[bytes, None]:
        """Give the pieces of an export.

        Two events: that it began, since a process may be killed while data leave, and how many rows
        were taken. Close the iterator, or the second one is late.
        """
        filters = _narrowed(window)
        async with self._database.transaction(call.actor) as storage:
            await storage.audit.note("audit.export_begun", format=form.name, filters=filters)
        rows, outcome = 0, Outcome.FAILURE
        try:
            yield form.head
            async with aclosing(batches(self._database, window)) as found:
                async for batch in found:
                    for start in range(0, len(batch), _PIECE):
                        piece = batch[start : start + _PIECE]
                        yield form.write(piece)
                        rows += len(piece)
            outcome = Outcome.SUCCESS
        finally:
            async with self._database.transaction(call.actor) as storage:
                await storage.audit.note(
                    "audit.exported",
                    outcome=outcome,
                    count=rows,
                    format=form.name,
                    filters=filters,
                )

    async def verify(self, call: Call) -> Verified:
        """Verify the whole chain; raise StillVerifying when that takes longer than one can wait."""
        verdict, finished_at = await self._verification.result()
        async with self._database.transaction(call.actor) as storage:
            await storage.audit.note("audit.verified", valid=verdict.valid, checked=verdict.checked)
        return Verified(
            valid=verdict.valid,
            checked=verdict.checked,
            head=verdict.head.shown() if verdict.head else None,
            first_broken=verdict.first_broken,
            reason=verdict.reason,
            finished_at=finished_at,
        )


def _narrowed(window: Window) -> str:
    """Return the names of what a search was narrowed by; the values may be personal data."""
    names = sorted(window.filters)
    if window.since or window.until:
        names.append("time")
    return ",".join(names)
