"""A worker killed, PostgreSQL restarted, in the middle of a letter."""

import os
import signal
import time
from pathlib import Path

from ops.logging import get_logger
from ops.stack import Addresses, Stack
from tests.chaos.conftest import House
from tests.workers.processes import eventually

_log = get_logger()


async def test_a_worker_killed_in_the_middle_of_a_letter_costs_at_most_a_copy(
    house: House,
) -> None:
    await house.relay()
    first = await house.worker()
    house.sink.delay = 60
    person = await house.register()
    await house.begins_a_letter()

    first.kill()
    killed = time.monotonic()
    house.sink.delay = 0
    await house.worker()  # and nothing else happens in this house

    await house.all_have_letters([person], 30)
    took = time.monotonic() - killed
    _log.info("worker killed", seconds=took)
    assert took < 30
    await house.settles()
    assert len(house.letters_to(person)) <= 2
    assert len(set(house.letters_to(person))) == 1
    assert await house.promised("crashes = 1") == 1


async def test_postgresql_restarted_in_the_middle_of_a_letter_costs_neither_letter_nor_copy(
    own_house: House, own_stack: tuple[Stack, Addresses, Path]
) -> None:
    stack = own_stack[0]
    await own_house.relay()
    await own_house.worker()
    own_house.sink.delay = 0.5
    person = await own_house.register()
    await own_house.begins_a_letter()

    os.kill(stack.pids["postgres"], signal.SIGINT)

    async def stopped() -> bool:
        return "postgres" in stack.check()

    await eventually(stopped)
    await own_house.all_have_letters([person], 10)  # the worker cannot note that it left
    stack.revive()
    revived = time.monotonic()
    await own_house.settles(15)
    _log.info("PostgreSQL restarted", seconds=time.monotonic() - revived)

    other = await own_house.register()
    await own_house.all_have_letters([other], 10)
    await own_house.settles()
    assert len(own_house.letters_to(person)) == len(own_house.letters_to(other)) == 1
