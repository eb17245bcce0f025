"""The way into Redis: a server that hangs costs one short wait, and the breaker spares the rest."""

import os
import signal
import time

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

    assert first < 0.25
    assert sum(later) < 0.1
    assert metrics.registry.get_sample_value("redis_client_errors_total") == 1


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
    assert time.perf_counter() - started < 0.25
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
