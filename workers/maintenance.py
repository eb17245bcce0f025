"""Housekeeping of the service itself: its pipeline, its signing keys."""

from ops.logging import get_logger
from storage.jobs import CleanUpPipeline, RotateSigningKey
from storage.key_rotation import retire_unneeded, rotate_old
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
