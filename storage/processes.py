"""Which processes of the house live: each says so every 15 seconds and is forgotten after 60.

The times are those of Redis alone, so that a machine whose clock is wrong looks no younger.
"""

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from storage.redis import Redis

_KEY = "ostiary:processes"
_KEPT_SECONDS = 60

# The sorted set has when each was heard last, the hash beside it what each said.
_BEAT = """
local now = redis.call('TIME')
redis.call('ZADD', KEYS[1], now[1] + now[2] / 1000000, ARGV[1])
redis.call('HSET', KEYS[1] .. ':facts', ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[1] .. ':facts', ARGV[3])
"""

_LEAVE = """
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[1] .. ':facts', ARGV[1])
"""

_ALIVE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[1])) do
    redis.call('ZREM', KEYS[1], gone)
    redis.call('HDEL', KEYS[1] .. ':facts', gone)
end
local found = {}
local heard = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #heard, 2 do
    local facts = redis.call('HGET', KEYS[1] .. ':facts', heard[i])
    if facts then
        found[#found + 1] = {heard[i], tostring(now - heard[i + 1]), facts}
    end
end
return found
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that lives, or did a minute ago."""

    # As the Procfile and `ops up` name it: emails.1, relay.1.
    name: str
    host: str
    pid: int
    # What it works on; none but a worker has any.
    queues: Sequence[str] = field(default_factory=tuple)
    threads: int = 0
    # Seconds since it was heard last.
    heard: float = 0.0

    @property
    def kind(self) -> str:
        """Its type in the Procfile: emails for emails.1 and emails-2."""
        return self.name.replace("-", ".").partition(".")[0]


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker says it does."""

    queues: Sequence[str] = ()
    threads: int = 0


async def beat(redis: Redis, key: str, work: Work) -> None:
    """Say that the process `name@host/pid` lives, and what it works on; raise RedisAway."""
    facts = orjson.dumps({"queues": list(work.queues), "threads": work.threads}).decode()
    await redis.evaluate(_BEAT, _KEY, key, facts, _KEPT_SECONDS)


async def leave(redis: Redis, key: str) -> None:
    """Say that the process lives no more; raise RedisAway."""
    await redis.evaluate(_LEAVE, _KEY, key)


async def alive(redis: Redis) -> list[Process]:
    """Return every process heard within a minute, by name; raise RedisAway."""
    found: list[Any] = await redis.evaluate(_ALIVE, _KEY, _KEPT_SECONDS)
    return sorted(
        (_process(key.decode(), float(heard), orjson.loads(facts)) for key, heard, facts in found),
        key=lambda process: (process.name, process.host, process.pid),
    )


def own_key(name: str, pid: int) -> str:
    """Return under which key a process of this machine is known: two may bear one name."""
    return f"{name}@{socket.gethostname()}/{pid}"


def _process(key: str, heard: float, facts: dict[str, Any]) -> Process:
    name, _, place = key.partition("@")
    host, _, pid = place.rpartition("/")
    return Process(
        name=name,
        host=host,
        pid=int(pid),
        queues=tuple(facts["queues"]),
        threads=int(facts["threads"]),
        heard=heard,
    )
