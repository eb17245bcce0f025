"""Housekeeping of the service itself: its pipeline, its signing keys, its statistics."""

from datetime import datetime

import workers.many  # noqa: F401 - registers the actors of orders, which are this queue's too
from ops.logging import get_logger
from ops.settings import Settings
from storage.jobs import CleanUpPipeline, CountStatistics, RotateSigningKey
from storage.key_rotation import retire_unneeded, rotate_old
from storage.outbox import Promise
from storage.repositories import Storage
from storage.statistics import DAY
from workers.actor import actor
from workers.purging import Purge, purge_all
from workers.toolbox import Tools

_BATCH = 5_000
_KEPT_DAYS = 30
# What was discarded may be regretted for as long, unless done jobs are kept even longer.
_DISCARDED_SECONDS = 90 * 86_400
# A clock that was away for longer leaves days uncounted.
_RECOUNTED = 31 * DAY

_log = get_logger()


@actor(CleanUpPipeline)
async def clean_up_pipeline(_: CleanUpPipeline, promise: Promise, tools: Tools) -> None:
    """Delete done jobs after OUTBOX_RETENTION, letters after LETTER_RETENTION, other traces later.

    Dead jobs stay until somebody decides, discarded ones for 90 days, slots of the clock and
    quarantined messages for 30.
    """
    deleted = await purge_all(tools, promise, _purges(tools.settings))
    _log.info("pipeline cleaned up", **deleted)


def _purges(settings: Settings) -> dict[str, Purge]:
    done, letters = settings.outbox_retention, settings.letter_retention
    discarded = max(done, _DISCARDED_SECONDS)
    return {
        "seals": lambda storage: storage.history.purge_seals(limit=_BATCH),
        "promises": lambda storage: storage.history.purge_done(seconds=done, limit=_BATCH),
        "discarded": lambda storage: storage.history.purge_discarded(
            seconds=discarded, limit=_BATCH
        ),
        "letters": lambda storage: storage.history.purge_letters(seconds=letters, limit=_BATCH),
        "slots": lambda storage: storage.clock.purge(days=_KEPT_DAYS, limit=_BATCH),
        "quarantined": lambda storage: storage.history.purge_quarantine(
            days=_KEPT_DAYS, limit=_BATCH
        ),
    }


@actor(CountStatistics)
async def count_statistics(_: CountStatistics, __: Promise, tools: Tools) -> None:
    """Count today and yesterday, and before them what no clock was there to count.

    Events come out the same however often they are counted; how things stand is of today only.
    """
    async with tools.database.reading() as storage:
        today = await storage.statistics.today()
        last = await storage.statistics.last_day()
        earliest = today - _RECOUNTED
        day = max(min(last or earliest, today - DAY), earliest)
        days = 0
        while day <= today:
            await storage.statistics.keep(day, await _counts(storage, day, today))
            day += DAY
            days += 1
    _log.info("statistics counted", days=days)


async def _counts(storage: Storage, day: datetime, today: datetime) -> dict[str, int]:
    counts = await storage.statistics.events(day) | await storage.statistics.letters(day)
    if day >= today - DAY:
        counts |= await storage.statistics.active(day)
    if day == today:
        counts |= await storage.statistics.standing()
    return counts


@actor(RotateSigningKey)
async def rotate_signing_key(_: RotateSigningKey, __: Promise, tools: Tools) -> None:
    """Retire signing keys that no token needs; make the next one when SIGNING_KEY_MAX_AGE says."""
    settings = tools.settings
    for key_id in await retire_unneeded(tools.database, token_seconds=settings.access_token_ttl):
        _log.info("signing key retired", key=key_id)
    if not settings.signing_key_max_age:
        return
    rotation = await rotate_old(
        tools.database, settings.token_algorithm, seconds=settings.signing_key_max_age
    )
    if rotation and rotation.made:
        _log.info(
            "signing key made", key=rotation.key_id, signs_from=rotation.signs_from.isoformat()
        )
