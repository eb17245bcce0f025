"""Redis wiped or frozen: registrations go on, and every letter goes out once."""

import asyncio
import time
from pathlib import Path

import redis

from ops.logging import get_logger
from ops.stack import Addresses, Stack
from tests.chaos.conftest import House, freeze, thaw
from tests.workers.processes import eventually

_log = get_logger()


async def test_redis_wiped_between_relay_and_worker_costs_no_letter(house: House) -> None:
    await house.relay()
    people = [await house.register() for _ in range(5)]

    async def handed_over() -> bool:
        return await house.promised("state = 'handed_over'") == 5

    await eventually(handed_over)
    with redis.Redis.from_url(house.redis_url) as client:
        client.flushall()
    await house.worker()

    took = await house.all_have_letters(people, 15)
    _log.info("Redis wiped", seconds=took)
    await house.settles()
    assert [len(house.letters_to(person)) for person in people] == [1] * 5


async def test_redis_frozen_delays_letters_and_no_registration(
    own_house: House, own_stack: tuple[Stack, Addresses, Path]
) -> None:
    stack = own_stack[0]
    await own_house.relay()
    await own_house.worker()
    people, times = [], []

    freeze(stack)
    begun = time.monotonic()
    while time.monotonic() - begun < 4:
        started = time.monotonic()
        people.append(await own_house.register())
        times.append(time.monotonic() - started)
    thaw(stack)

    took = await own_house.all_have_letters(people, 30)
    slowest = max(times)
    _log.info("Redis frozen", registrations=len(people), slowest=slowest, seconds=took)
    assert slowest < 2
    await own_house.settles()
    assert [len(own_house.letters_to(person)) for person in people] == [1] * len(people)


async def test_a_relay_killed_while_redis_is_frozen_costs_no_letter(
    own_house: House, own_stack: tuple[Stack, Addresses, Path]
) -> None:
    stack = own_stack[0]
    relay = await own_house.relay()
    await own_house.worker()
    freeze(stack)  # so that the hand-over cannot come to an end
    person = await own_house.register()
    await asyncio.sleep(1)  # the relay looks four times a second
    relay.kill()
    thaw(stack)
    killed = time.monotonic()
    await own_house.relay()

    await own_house.all_have_letters([person], 20)
    _log.info("relay killed", seconds=time.monotonic() - killed)
    await own_house.settles()
    assert len(own_house.letters_to(person)) == 1
