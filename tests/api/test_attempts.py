"""Guesses that nobody could look at: an outage costs neither the account nor the address one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.attempts import Attempts, Secret
from api.limits import Limits, Policy, TooMany
from api.problems import Invalid
from ops.crypto import KeyRing
from ops.errors import Unavailable
from ops.metrics import Metrics
from ops.settings import Rate
from storage.database import Database
from storage.redis import Redis
from tests.conftest import MakeSettings
from tests.own_database import OwnDatabase, opened, own_database

_ADA, _SITE = "ada@example.com", "203.0.113.7"
_RATE = Rate(2, 3_600)
_MORE_THAN_ALLOWED = 4


@pytest.fixture
async def room(home: Path, make_settings: MakeSettings) -> AsyncIterator[OwnDatabase]:
    """Make a database that may go away."""
    async with own_database(home, make_settings, "attempts") as made:
        yield made


@pytest.fixture
async def attempts(
    room: OwnDatabase, make_settings: MakeSettings, clean: None
) -> AsyncIterator[Attempts]:
    """Count two guesses an hour at an account, and two from an address."""
    settings, metrics = make_settings(), Metrics()
    redis = Redis(settings.redis_url, metrics, timeout_ms=settings.redis_timeout_ms)
    async with opened(room, make_settings) as database:
        yield _counting(database, redis, settings.keyring, metrics)
    await redis.close()


def _counting(database: Database, redis: Redis, keys: KeyRing, metrics: Metrics) -> Attempts:
    limits = Limits(redis, metrics, {Policy.AUTH_FAILURES: _RATE})
    return Attempts(database=database, keys=keys, limits=limits, metrics=metrics, rate=_RATE)


async def guess(attempts: Attempts, outcome: Exception) -> None:
    """Count a guess whose evaluation ends so; raise what the guessing person gets."""
    async with attempts.counted(Secret.PASSWORD, account=_ADA, caller=_SITE):
        raise outcome


async def test_a_guess_that_nobody_could_look_at_is_given_back(attempts: Attempts) -> None:
    for _ in range(_MORE_THAN_ALLOWED):
        with pytest.raises(Unavailable):
            await guess(attempts, Unavailable())


async def test_a_guess_that_nobody_could_count_costs_its_address_nothing(
    attempts: Attempts, room: OwnDatabase
) -> None:
    async with room.gone():
        for _ in range(_MORE_THAN_ALLOWED):
            with pytest.raises(Unavailable):
                await guess(attempts, Invalid())

    for _ in range(_RATE.limit):
        with pytest.raises(Invalid):
            await guess(attempts, Invalid())
    with pytest.raises(TooMany):
        await guess(attempts, Invalid())
