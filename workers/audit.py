"""The audit ledger: written here and nowhere else."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date

from ops.logging import get_logger
from storage.jobs import ExportCheckpoint, KeepAuditMonths, SealAudit, VerifyAudit
from storage.ledger.repository import DROPPED
from storage.ledger.verify import verify
from storage.ledger.witness import Witness
from storage.outbox import Promise
from workers.actor import actor
from workers.toolbox import Tools

_BATCH = 2_000
# Rows whose personal data one transaction deletes; as many checkpoints.
_ERASED = 5_000
# Before the first sequence that a table can hold.
_BEGINNING = -(2**63)
_MONTHS_AHEAD = 3
_DAY = 86_400

_log = get_logger()


@actor(SealAudit)
async def seal_audit(_: SealAudit, __: Promise, tools: Tools) -> None:
    """Seal the inbox in batches until it is empty; each batch is whole or not there."""
    while True:
        async with tools.database.transaction() as storage:
            sealed = await storage.ledger.seal(limit=_BATCH)
        tools.metrics.audit_sealed.inc(sealed)
        if sealed < _BATCH:
            return


@actor(ExportCheckpoint)
async def export_checkpoint(_: ExportCheckpoint, __: Promise, tools: Tools) -> None:
    """Write the newest checkpoint to a file, the log and the metrics: it must not rest with us."""
    async with tools.database.reading() as storage:
        head = await storage.ledger.head()
    if head is None:
        return
    tools.metrics.audit_head.set(head.sequence)
    if await asyncio.to_thread(Witness(tools.settings.home).keep, head):
        _log.info("audit checkpoint", **head.shown())


@actor(VerifyAudit)
async def verify_audit(_: VerifyAudit, __: Promise, tools: Tools) -> None:
    """Verify the ledger against what is kept outside; say in log and metrics what was found."""
    # Before the chain is looked at: what is sealed meanwhile would seem to be missing.
    outside = await asyncio.to_thread(Witness(tools.settings.home).kept)
    verdict = await verify(tools.database, tools.keys, outside)
    tools.metrics.audit_valid.set(verdict.valid)
    tools.metrics.audit_verified.set_to_current_time()
    if verdict.valid:
        _log.info("audit ledger verified", rows=verdict.checked)
        return
    _log.error("audit ledger broken", row=verdict.first_broken, reason=verdict.reason)


@actor(KeepAuditMonths)
async def keep_audit_months(_: KeepAuditMonths, promise: Promise, tools: Tools) -> None:
    """Make the next months' partitions; drop those that AUDIT_RETENTION no longer keeps.

    That a month went is an event of the chain itself, signed: without it, rows would be missing.
    """
    async with tools.database.reading() as storage:
        wanted = await storage.ledger.wanted_months(ahead=_MONTHS_AHEAD)
    for month in wanted:
        async with tools.database.transaction() as storage:
            await storage.ledger.make_month(month)
    days = tools.settings.audit_retention // _DAY
    if not days:
        return
    async with tools.database.reading() as storage:
        old = await storage.ledger.old_months(days=days)
    erased = 0
    for month in old:
        async for count in _erasing(month, tools):
            erased += count
            async with tools.database.reading() as storage:
                await storage.outbox.progress(promise, done=erased)
        async with tools.database.transaction() as storage:
            released = await storage.ledger.drop_month(month)
            if released:
                await storage.audit.note(DROPPED, month=month.isoformat(), **released.shown())
        _log.info(
            "audit month dropped",
            month=month.isoformat(),
            through=released.sequence if released else None,
        )
    async with tools.database.reading() as storage:
        while await storage.ledger.drop_checkpoints(limit=_ERASED):
            pass


async def _erasing(month: date, tools: Tools) -> AsyncIterator[int]:
    """Delete the personal data of a month, batch after batch; give how many rows each had."""
    last: int | None = _BEGINNING
    while last is not None:
        async with tools.database.reading() as storage:
            last, count = await storage.ledger.erase_month(month, after=last, limit=_ERASED)
        yield count
