"""Token buckets: what meets travels together, and nobody is given too much or left waiting."""

import asyncio
import os
import signal
from collections import Counter

import pytest

from ops.metrics import Metrics
from storage.buckets import Buckets
from storage.redis import Redis, RedisAway

Own = tuple[Redis, int, Metrics]


async def round_trips(redis: Redis) -> int:
    """Return how many scripts the server was asked to run."""
    found = await redis._client.info("commandstats")
    return sum(
        int(found.get(f"cmdstat_{name}", {}).get("calls", 0)) for name in ("eval", "evalsha")
    )


async def test_what_is_taken_in_one_turn_goes_in_one_round_trip_and_is_counted_each(
    patient: Redis,
) -> None:
    buckets = Buckets(patient)
    await buckets.take("warm", limit=5, seconds=60, cost=1)
    before = await round_trips(patient)

    taken = await asyncio.gather(
        *(buckets.take(f"of-{n % 2}", limit=5, seconds=60, cost=1) for n in range(20))
    )

    assert await round_trips(patient) - before == 1
    assert [found[0] for found in taken] == [1] * 10 + [0] * 10
    assert [found[1] for found in taken[:10]] == [4, 4, 3, 3, 2, 2, 1, 1, 0, 0]


async def test_more_than_one_script_takes_are_asked_for_in_several(patient: Redis) -> None:
    buckets = Buckets(patient)

    taken = await asyncio.gather(
        *(buckets.take("shared", limit=300, seconds=3600, cost=1) for _ in range(500))
    )

    assert Counter(found[0] for found in taken) == {1: 300, 0: 200}


async def test_a_caller_who_gives_up_leaves_the_others_their_answers(own: Own) -> None:
    buckets = Buckets(own[0])
    waiting = [
        asyncio.create_task(buckets.take("shared", limit=10, seconds=60, cost=1)) for _ in range(5)
    ]
    await asyncio.sleep(0)

    waiting[0].cancel()
    found = await asyncio.gather(*waiting, return_exceptions=True)

    assert isinstance(found[0], asyncio.CancelledError)
    assert [answer[0] for answer in found[1:]] == [1] * 4  # type: ignore[index]
    assert (await buckets.take("shared", limit=10, seconds=60, cost=1))[1] <= 5


async def test_nobody_waits_for_a_frozen_server_longer_than_one_attempt(own: Own) -> None:
    redis, pid, _ = own
    buckets = Buckets(redis)
    await buckets.take("warm", limit=5, seconds=60, cost=1)
    os.kill(pid, signal.SIGSTOP)

    async with asyncio.timeout(2):
        first = [buckets.take(f"{n}", limit=5, seconds=60, cost=1) for n in range(300)]
        found = await asyncio.gather(*first, return_exceptions=True)
    os.kill(pid, signal.SIGCONT)

    assert {type(answer) for answer in found} == {RedisAway}


async def test_a_server_that_forgot_the_script_is_sent_it_again(own: Own) -> None:
    redis, _, _ = own
    buckets = Buckets(redis)
    await buckets.take("shared", limit=5, seconds=60, cost=1)

    await redis._client.script_flush()
    taken = await buckets.take("shared", limit=5, seconds=60, cost=1)

    assert taken[:2] == (1, 3)


async def test_what_is_given_back_can_be_taken_again(own: Own) -> None:
    buckets = Buckets(own[0])
    for _ in range(2):
        await buckets.take("shared", limit=2, seconds=60, cost=1)

    with_nothing_left = await buckets.take("shared", limit=2, seconds=60, cost=1)
    await buckets.take("shared", limit=2, seconds=60, cost=-1)
    after = await buckets.take("shared", limit=2, seconds=60, cost=1)

    assert (with_nothing_left[0], after[0]) == (0, 1)
    assert with_nothing_left[2] == pytest.approx(30e6, rel=0.1)


async def test_what_is_given_back_makes_no_bucket_larger(own: Own) -> None:
    buckets = Buckets(own[0])
    for cost in (1, -1, -1):
        await buckets.take("shared", limit=2, seconds=60, cost=cost)

    taken = [await buckets.take("shared", limit=2, seconds=60, cost=1) for _ in range(3)]

    assert [allowed for allowed, *_ in taken] == [1, 1, 0]
