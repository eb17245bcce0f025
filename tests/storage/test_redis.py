"""The way into Redis: a server that hangs costs one short wait, and the breaker spares the rest."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable

import pytest

from ops.metrics import Metrics
from storage.redis import Redis, RedisAway

_ECHO = "return {tonumber(ARGV[1])}"


async def refused(client: Redis) -> float:
    """Run a script that cannot be answered; return the seconds it took to say so."""
    started = time.perf_counter()
    with pytest.raises(RedisAway):
        await client.script(_ECHO, [], [1])
    return time.perf_counter() - started


async def test_a_frozen_server_costs_a_quarter_second_once_and_then_nothing(
    own: tuple[Redis, int, Metrics],
) -> None:
    client, pid, metrics = own
    assert await client.script(_ECHO, [], [7]) == [7]
    os.kill(pid, signal.SIGSTOP)

    first = await refused(client)
    later = [await refused(client) for _ in range(100)]

    assert first < 0.5
    assert sum(later) < 1  # a hundred waits would take ten seconds
    assert metrics.registry.get_sample_value("redis_client_errors_total") == 1


async def test_who_is_given_more_time_has_an_answer_from_a_server_that_is_slow(
    own_redis: tuple[str, int],
) -> None:
    url, pid = own_redis
    patient = Redis(url, Metrics(), timeout_ms=10_000)
    await patient.ping()
    os.kill(pid, signal.SIGSTOP)
    asyncio.get_running_loop().call_later(0.5, os.kill, pid, signal.SIGCONT)

    assert await patient.script(_ECHO, [], [7]) == [7]
    await patient.close()


async def test_after_the_freeze_answers_belong_to_their_questions(
    own: tuple[Redis, int, Metrics],
) -> None:
    client, pid, _ = own
    assert await client.script(_ECHO, [], [7]) == [7]
    os.kill(pid, signal.SIGSTOP)
    await refused(client)
    os.kill(pid, signal.SIGCONT)

    await client.ping()
    client._closed_until = 0

    for number in range(20):
        assert await client.script(_ECHO, [], [number]) == [number]


async def test_a_ping_asks_whatever_the_breaker_says(own: tuple[Redis, int, Metrics]) -> None:
    client, pid, _ = own
    os.kill(pid, signal.SIGSTOP)
    started = time.perf_counter()
    with pytest.raises(RedisAway):
        await client.ping()
    assert time.perf_counter() - started < 0.5
    os.kill(pid, signal.SIGCONT)

    await client.ping()


async def test_a_bell_rings_whoever_waits_and_none_is_waited_for_so_long(
    own: tuple[Redis, int, Metrics],
) -> None:
    client, _, _ = own
    client.ring_relay()
    client.ring_relay()

    started = time.perf_counter()
    await client.wait_for_bell(2)
    rung = time.perf_counter() - started
    await client.wait_for_bell(0.2)

    assert rung < 0.5
    assert 0.15 < time.perf_counter() - started - rung < 1


async def test_targets_are_announced_and_withdrawn(own: tuple[Redis, int, Metrics]) -> None:
    client, _, _ = own
    await client.announce("web.1", "127.0.0.1:20001", seconds=60)
    await client.announce("web.2", "127.0.0.1:20002", seconds=60)
    await client.withdraw("web.1")

    assert await client.targets() == {"web.2": "127.0.0.1:20002"}


@pytest.mark.parametrize("prepare", [Redis.ping, Redis.close])
async def test_who_is_cancelled_in_a_command_ends_whenever_it_comes(
    own: tuple[Redis, int, Metrics], prepare: Callable[[Redis], Awaitable[None]]
) -> None:
    client, _, _ = own
    lost = []
    for steps in range(12):
        await prepare(client)
        task = asyncio.create_task(client.ping())
        for _ in range(steps):
            await asyncio.sleep(0)
        was_under_way = task.cancel()
        await asyncio.wait([task])
        if task.cancelled() != was_under_way:
            lost.append(steps)

    assert not lost


async def test_who_hears_what_was_revoked_ends_whenever_that_is_asked(
    own: tuple[Redis, int, Metrics],
) -> None:
    client, _, _ = own
    for steps in range(40):
        task = asyncio.create_task(client.hear_revoked(lambda: None))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()

        ended, _ = await asyncio.wait([task], timeout=5)
        assert ended
