"""A Redis that answers and takes no writes: letters wait, nobody else notices."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from ops.logging import get_logger
from tests.chaos.conftest import House
from tests.ops.stacks import wait_until

_log = get_logger()


@contextmanager
def no_replica(client: redis.Redis) -> Iterator[None]:
    """Have Redis miss a replica: NOREPLICAS."""
    client.config_set("min-replicas-to-write", "1")
    try:
        yield
    finally:
        client.config_set("min-replicas-to-write", "0")


@contextmanager
def no_memory(client: redis.Redis) -> Iterator[None]:
    """Have Redis reach its limit of memory: OOM."""
    usual = client.config_get("maxmemory")["maxmemory"]
    client.config_set("maxmemory", "1")
    try:
        yield
    finally:
        client.config_set("maxmemory", usual)


@contextmanager
def no_snapshot(client: redis.Redis) -> Iterator[None]:
    """Have Redis fail to persist, a folder lying where its file belongs: MISCONF."""
    usual = client.config_get("save")["save"]
    client.config_set("save", "3600 1")
    where = client.config_get()
    in_the_way = Path(where["dir"], where["dbfilename"])
    in_the_way.unlink(missing_ok=True)
    in_the_way.mkdir()
    try:
        persist(client, "err")
        with pytest.raises(redis.RedisError, match="MISCONF"):
            client.set("tried", "1")
        yield
    finally:
        in_the_way.rmdir()
        persist(client, "ok")
        client.config_set("save", usual)


def persist(client: redis.Redis, status: str) -> None:
    client.bgsave()
    wait_until(lambda: client.info()["rdb_last_bgsave_status"] == status)


async def test_a_redis_that_refuses_to_write_delays_letters_and_no_registration(
    own_house: House,
) -> None:
    await own_house.relay()
    worker = await own_house.worker()
    client = redis.Redis.from_url(own_house.redis_url, decode_responses=True)
    for refusing in (no_replica, no_memory, no_snapshot):
        with refusing(client):
            people = [await own_house.register() for _ in range(8)]
            await asyncio.sleep(4)  # long enough for everybody to hear it more than once

        took = await own_house.all_have_letters(people, 30)
        _log.info("Redis refuses", how=refusing.__name__, seconds=round(took, 1))
        await own_house.settles()
        assert [len(own_house.letters_to(person)) for person in people] == [1] * len(people)
        assert not worker.gone
    client.close()
