"""Rights over two web processes: what changes is felt within a second, whatever Redis does."""

import asyncio
import time

import asyncpg
import pytest

from ops.logging import get_logger
from tests.api.holders import changes, own_role
from tests.chaos.pair import Accident, Pair, redis_frozen, redis_killed, redis_well
from tests.people import admin, call, person

_log = get_logger()

SECOND = 1.0


@pytest.mark.parametrize("accident", [redis_well, redis_frozen, redis_killed])
async def test_what_somebody_may_do_follows_their_roles_at_both_processes(
    pair: Pair, accident: Accident
) -> None:
    owner = await asyncpg.connect(pair.database_url)
    boss, who = await admin(pair.one, owner), await person(pair.one, owner)
    role = await own_role(owner, "roles:read", rank=50)
    await owner.close()
    await asyncio.sleep(SECOND)  # what was made behind the front door is known by now
    delays = []

    with accident(pair):
        for probe, change, before, after in changes(who, role):
            assert [await probe(api, who) for api in pair.clients] == [before, before], change
            status, told = await call(pair.one, boss, *change)
            changed = time.monotonic()
            assert status == 200, told

            assert await probe(pair.one, who) == after, change
            while await probe(pair.other, who) != after:
                assert time.monotonic() - changed < SECOND, change
                await asyncio.sleep(0.005)
            delays.append(round(time.monotonic() - changed, 3))
    _log.info("felt elsewhere", accident=accident.__name__, seconds=delays)
