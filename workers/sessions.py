"""Housekeeping of sessions: what ended long ago is deleted, in batches."""

from ops.logging import get_logger
from storage.jobs import CleanUpSessions
from storage.outbox import Promise
from workers.actor import actor
from workers.toolbox import Tools

_BATCH = 1_000
_KEPT_DAYS = 30

_log = get_logger()


@actor(CleanUpSessions)
async def clean_up_sessions(_: CleanUpSessions, __: Promise, tools: Tools) -> None:
    """Delete ended sessions and spent tokens after 30 days, idempotency keys after their day."""
    sessions = tokens = keys = 0
    async with tools.database.reading() as storage:
        while deleted := await storage.sessions.purge(days=_KEPT_DAYS, limit=_BATCH):
            sessions += deleted
        while deleted := await storage.email_verifications.purge(days=_KEPT_DAYS, limit=_BATCH):
            tokens += deleted
        while deleted := await storage.password_resets.purge(days=_KEPT_DAYS, limit=_BATCH):
            tokens += deleted
        while deleted := await storage.email_changes.purge(days=_KEPT_DAYS, limit=_BATCH):
            tokens += deleted
        while deleted := await storage.idempotency.purge(limit=_BATCH):
            keys += deleted
    _log.info("sessions cleaned up", sessions=sessions, tokens=tokens, idempotency=keys)
