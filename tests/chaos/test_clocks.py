"""Three clocks, one killed and one frozen while slots come: one promise and one effect per slot."""

import asyncio
import os
import random
import signal

from tests.chaos.conftest import House
from tests.workers.processes import eventually

ROUNDS_OF_SLOTS = 3
# What every clock finds due when it starts: the latest slot of each task.
FORGET = "DELETE FROM clock_slots RETURNING 1"
SLOTS = "SELECT count(*) FROM clock_slots"
# `handed_over` and done once: a second effect would have been a second claim.
TWICE = """
SELECT count(*) FROM (
    SELECT name FROM outbox WHERE name IN (SELECT task FROM clock_slots)
    GROUP BY name HAVING count(*) <> {expected} OR max(attempts) > 1
) AS wrong
"""
UNDONE = """
SELECT count(*) FROM clock_slots LEFT JOIN outbox ON outbox.id = promise_id
WHERE outbox.state IS DISTINCT FROM 'done'
"""
QUEUES = ("--queues", "sessions", "maintenance", "audit")


async def test_three_clocks_of_which_one_is_killed_and_one_frozen_keep_each_slot_once(
    house: House,
) -> None:
    await house.relay()
    await house.start("workers", *QUEUES, ready="working")

    for expected in range(1, ROUNDS_OF_SLOTS + 1):
        await house.ask(FORGET)
        clocks = [await house.start("workers.clock", ready="") for _ in range(3)]
        # Somewhere between its first import and its first slots.
        await asyncio.sleep(random.uniform(0.8, 2.0))
        clocks[0].kill()
        os.kill(clocks[1].process.pid, signal.SIGSTOP)
        await clocks[2].says("ticking")
        await asyncio.sleep(0.5)
        os.kill(clocks[1].process.pid, signal.SIGCONT)
        await clocks[1].says("ticking")

        async def all_done() -> bool:
            return await house.ask(SLOTS) != 0 and await house.ask(UNDONE) == 0

        await eventually(all_done, 30)
        assert await house.ask(TWICE.format(expected=expected)) == 0
        assert [clock.stop() for clock in clocks[1:]] == [0, 0]
