"""Housekeeping of the pipeline itself."""

from ops.logging import get_logger
from storage.jobs import CleanUpPipeline
from storage.outbox import Promise
from workers.actor import actor
from workers.toolbox import Tools

_BATCH = 5_000
_DONE_DAYS = 7
_KEPT_DAYS = 30

_log = get_logger()


@actor(CleanUpPipeline)
async def clean_up_pipeline(_: CleanUpPipeline, __: Promise, tools: Tools) -> None:
    """Delete promises done a week ago, slots and quarantined messages after 30 days."""
    promises = 0
    async with tools.database.reading() as storage:
        while deleted := await storage.outbox.purge(days=_DONE_DAYS, limit=_BATCH):
            promises += deleted
        await storage.clock.purge(days=_KEPT_DAYS)
        await storage.quarantine.purge(days=_KEPT_DAYS)
    _log.info("pipeline cleaned up", promises=promises)
