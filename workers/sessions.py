"""Housekeeping of sessions: what ended long ago is deleted, in batches."""

from collections.abc import Awaitable, Callable
from functools import partial

from ops.logging import get_logger
from storage.jobs import CleanUpSessions
from storage.outbox import Promise
from storage.repositories import Storage
from workers.actor import actor
from workers.toolbox import Tools

_BATCH = 1_000
_KEPT_DAYS = 30
_DEVICE_DAYS = 180
_FAILURE_SECONDS = 86_400

_log = get_logger()


@actor(CleanUpSessions)
async def clean_up_sessions(_: CleanUpSessions, __: Promise, tools: Tools) -> None:
    """Delete ended sessions and spent tokens after 30 days, devices unseen for half a year.

    Idempotency keys and counts of failures go after their day, revocations after ten minutes.
    """
    async with tools.database.reading() as storage:
        deleted = {what: await _all(purge) for what, purge in _purges(storage).items()}
    _log.info("sessions cleaned up", **deleted)


def _purges(storage: Storage) -> dict[str, Callable[[], Awaitable[int]]]:
    ended = {"days": _KEPT_DAYS, "limit": _BATCH}
    return {
        "sessions": partial(storage.sessions.purge, **ended),
        "verifications": partial(storage.email_verifications.purge, **ended),
        "resets": partial(storage.password_resets.purge, **ended),
        "email_changes": partial(storage.email_changes.purge, **ended),
        "devices": partial(storage.devices.purge, days=_DEVICE_DAYS, limit=_BATCH),
        "failures": partial(storage.attempts.purge, seconds=_FAILURE_SECONDS, limit=_BATCH),
        "idempotency": partial(storage.idempotency.purge, limit=_BATCH),
        "revocations": partial(storage.revocations.purge, limit=_BATCH),
    }


async def _all(purge: Callable[[], Awaitable[int]]) -> int:
    total = 0
    while deleted := await purge():
        total += deleted
    return total
