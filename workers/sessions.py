"""Housekeeping of sessions: what ended long ago is deleted, in batches."""

from ops.logging import get_logger
from storage import devices
from storage.jobs import CleanUpSessions
from storage.outbox import Promise
from workers.actor import actor
from workers.purging import Purge, purge_all
from workers.toolbox import Tools

_BATCH = 1_000
_KEPT_DAYS = 30
_FAILURE_SECONDS = 86_400

_PURGES: dict[str, Purge] = {
    "sessions": lambda storage: storage.sessions.purge(days=_KEPT_DAYS, limit=_BATCH),
    "verifications": lambda storage: storage.email_verifications.purge(
        days=_KEPT_DAYS, limit=_BATCH
    ),
    "resets": lambda storage: storage.password_resets.purge(days=_KEPT_DAYS, limit=_BATCH),
    "email_changes": lambda storage: storage.email_changes.purge(days=_KEPT_DAYS, limit=_BATCH),
    "devices": lambda storage: storage.devices.purge(days=devices.KEPT_DAYS, limit=_BATCH),
    "failures": lambda storage: storage.attempts.purge(seconds=_FAILURE_SECONDS, limit=_BATCH),
    "idempotency": lambda storage: storage.idempotency.purge(limit=_BATCH),
    "revocations": lambda storage: storage.revocations.purge(limit=_BATCH),
}

_log = get_logger()


@actor(CleanUpSessions)
async def clean_up_sessions(_: CleanUpSessions, promise: Promise, tools: Tools) -> None:
    """Delete ended sessions and spent tokens after 30 days, devices unseen for half a year.

    Idempotency keys and counts of failures go after their day, revocations after ten minutes.
    """
    _log.info("sessions cleaned up", **await purge_all(tools, promise, _PURGES))
