"""Who is heard: for a minute, then forgotten with all they said; two of one name are two."""

import pytest

from ops.metrics import Metrics
from storage.processes import Process, Work, alive, beat, leave, own_key
from storage.redis import Redis
from storage.targets import announced
from tests.workers.processes import eventually
from workers.toolbox import Tools

_KEY = "ostiary:processes"
_LATER = "return redis.call('ZINCRBY', KEYS[1], -ARGV[2], ARGV[1])"
_LEFT = "return redis.call('TTL', KEYS[1])"
_KNOWN = "return redis.call('HKEYS', KEYS[1] .. ':facts')"


async def silent(redis: Redis, key: str, seconds: int) -> None:
    """Let a process have said nothing for so long."""
    await redis.evaluate(_LATER, _KEY, key, seconds)


async def heard(redis: Redis) -> list[str]:
    """Return the names of who is heard."""
    return [process.name for process in await alive(redis)]


async def test_who_says_nothing_for_a_minute_is_forgotten_with_all_they_said(tools: Tools) -> None:
    for name in ("relay.1", "clock.1"):
        await beat(tools.redis, f"{name}@here/1", Work())
    await silent(tools.redis, "relay.1@here/1", 61)
    await silent(tools.redis, "clock.1@here/1", 30)

    [process] = await alive(tools.redis)

    assert process.name == "clock.1"
    assert 30 <= process.heard < 60
    assert await tools.redis.evaluate(_KNOWN, _KEY) == [b"clock.1@here/1"]


async def test_who_is_heard_again_is_young_and_says_what_is_so_now(tools: Tools) -> None:
    await beat(tools.redis, "emails.1@here/1", Work(["emails"], 4))
    await silent(tools.redis, "emails.1@here/1", 40)

    await beat(tools.redis, "emails.1@here/1", Work(["emails", "audit"], 8))

    [process] = await alive(tools.redis)
    assert process.heard < 30
    assert (tuple(process.queues), process.threads) == (("emails", "audit"), 8)


async def test_two_of_one_name_are_two_and_one_that_leaves_leaves_the_other(tools: Tools) -> None:
    for key in ("web.1@one/1", "web.1@one/2", "web.1@two/1"):
        await beat(tools.redis, key, Work())

    await leave(tools.redis, "web.1@one/1")

    assert [(item.host, item.pid) for item in await alive(tools.redis)] == [("one", 2), ("two", 1)]
    assert len(await tools.redis.evaluate(_KNOWN, _KEY)) == 2


async def test_a_process_is_known_by_its_name_its_machine_and_its_id(tools: Tools) -> None:
    await beat(tools.redis, own_key("emails-2", 7), Work())

    [process] = await alive(tools.redis)

    assert (process.name, process.kind, process.pid) == ("emails-2", "emails", 7)
    assert own_key("emails-2", 7) == f"emails-2@{process.host}/7"


@pytest.mark.parametrize("name", ["emails", "emails.1", "emails-12", "emails-1.2"])
def test_the_kind_of_a_process_is_what_its_name_begins_with(name: str) -> None:
    assert Process(name=name, host="here", pid=1).kind == "emails"


async def test_where_metrics_are_is_announced_for_two_minutes_and_withdrawn_on_a_stop(
    tools: Tools,
) -> None:
    async with announced(tools.redis, Metrics(), tools.settings, name="emails.1") as port:
        await eventually(lambda: heard(tools.redis))
        assert list((await tools.redis.targets()).values()) == [f"127.0.0.1:{port}"]
        assert 60 < await tools.redis.evaluate(_LEFT, "ostiary:targets") <= 120

    assert await tools.redis.targets() == {}
    assert await heard(tools.redis) == []
