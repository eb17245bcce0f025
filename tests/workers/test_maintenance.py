"""Housekeeping: signing keys are rotated by age, and retired when no token needs them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from ops.metrics import Metrics
from ops.settings import TokenAlgorithm
from storage.database import Database
from storage.jobs import RotateSigningKey
from storage.key_rotation import ensure_key
from storage.outbox import Promise
from storage.tasks import TASKS
from tests.conftest import MakeSettings
from tests.own_database import OwnDatabase, own_database
from tests.workers.conftest import Hold, Put
from workers.clock import Clock
from workers.maintenance import rotate_signing_key
from workers.toolbox import Tools

DAY = 86_400
HOUR = 3_600


@pytest.fixture(scope="module")
async def room(home: Path, make_settings: MakeSettings) -> AsyncIterator[OwnDatabase]:
    """Make a database for these tests."""
    async with own_database(home, make_settings, "keys_workers") as made:
        yield made


@pytest.fixture
async def own_tools(
    tools: Tools, room: OwnDatabase, make_settings: MakeSettings
) -> AsyncIterator[Tools]:
    """Open an actor's tools over it, without any key."""
    await room.empty()
    settings = make_settings(**room.urls, signing_key_max_age="90d")
    database = await Database.open(
        settings.worker_database_url, keys=settings.keyring, metrics=Metrics(), name="keys"
    )
    yield replace(tools, settings=settings, database=database)
    await database.close()


@pytest.fixture
async def promise(put: Put, hold: Hold) -> Promise:
    """Claim the job as a worker does."""
    return await hold(await put(RotateSigningKey(), handed_over=True))


async def rotate(tools: Tools, promise: Promise) -> None:
    await rotate_signing_key(RotateSigningKey(), promise, tools)


async def test_a_key_of_90_days_gets_a_successor_and_is_retired_when_it_is_done(
    own_tools: Tools, room: OwnDatabase, promise: Promise
) -> None:
    await ensure_key(own_tools.database, TokenAlgorithm.EDDSA)
    (first,) = await room.states()

    await room.age(90 * DAY - 60)
    await rotate(own_tools, promise)
    assert list(await room.states()) == [first]

    await room.age(120)
    await rotate(own_tools, promise)
    await rotate(own_tools, promise)
    assert len(await room.states()) == 2

    await room.age(HOUR + 900 + HOUR - 60)  # its hour, a token's life, the leeway
    await rotate(own_tools, promise)
    assert first in await room.states()

    await room.age(120)
    await rotate(own_tools, promise)
    assert first not in await room.states()
    assert len(await room.states()) == 1


async def test_the_next_key_is_of_the_algorithm_of_the_settings(
    own_tools: Tools, room: OwnDatabase, promise: Promise
) -> None:
    await ensure_key(own_tools.database, TokenAlgorithm.EDDSA)
    await room.age(91 * DAY)
    settings = replace(own_tools.settings, token_algorithm=TokenAlgorithm.ES256)

    await rotate(replace(own_tools, settings=settings), promise)

    assert list((await room.states()).values()) == ["EdDSA", "ES256"]


async def test_without_an_age_no_key_is_made_but_old_ones_are_retired(
    own_tools: Tools, room: OwnDatabase, promise: Promise
) -> None:
    await ensure_key(own_tools.database, TokenAlgorithm.EDDSA)
    await ensure_key(own_tools.database, TokenAlgorithm.ES256)
    await room.age(400 * DAY)
    never = replace(own_tools, settings=replace(own_tools.settings, signing_key_max_age=0))

    await rotate(never, promise)

    assert list((await room.states()).values()) == ["ES256"]


async def test_before_the_first_web_process_there_is_nothing_to_rotate(
    own_tools: Tools, room: OwnDatabase, promise: Promise
) -> None:
    await rotate(own_tools, promise)

    assert await room.states() == {}


async def test_the_clock_tells_the_age_of_the_key_that_signs_and_rotates_every_hour(
    own_tools: Tools, room: OwnDatabase
) -> None:
    await Clock(own_tools).measure()
    age = "ostiary_signing_key_age_seconds"
    assert own_tools.metrics.registry.get_sample_value(age) == 0
    await ensure_key(own_tools.database, TokenAlgorithm.EDDSA)
    await ensure_key(own_tools.database, TokenAlgorithm.ES256)
    (first, _) = await room.states()
    await room.age(5 * DAY, first)

    await Clock(own_tools).measure()

    seen = own_tools.metrics.registry.get_sample_value(age)
    assert seen
    assert 5 * DAY <= seen < 5 * DAY + 60
    assert [task.cron.split()[1:] for task in TASKS if task.job == RotateSigningKey()] == [
        ["*", "*", "*", "*"]
    ]
