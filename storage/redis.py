"""The way into Redis: a doorbell, limits, and who serves metrics. Nothing here is ever the truth.

On the request path a command may take REDIS_TIMEOUT_MS; after a failure the breaker keeps everybody
away from Redis for a second, so that a frozen server costs one request in a second and not all.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha1
from typing import Any, TypeVar

from ops.errors import Kind, Unavailable
from ops.metrics import Metrics
from storage.redis_library import redis

T = TypeVar("T")

_CONNECTIONS = 8
_OPEN_SECONDS = 1.0
_REST_SECONDS = 1.0

RELAY_BELL = "ostiary:bell:relay"
_PROXY = "ostiary:proxy:suspected"
_TARGETS = "ostiary:targets"
REVOKED = "ostiary:revoked"


# A hash, since looking through all keys takes as long as an attack makes many of them. The times
# are those of Redis alone.
_ANNOUNCE = """
local now = tonumber(redis.call('TIME')[1])
redis.call('HSET', KEYS[1], ARGV[1], (now + ARGV[3]) .. ' ' .. ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
"""
_ANNOUNCED = """
local now = tonumber(redis.call('TIME')[1])
local found = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
    local till, target = string.match(all[i + 1], '^(%d+) (.*)$')
    if tonumber(till) <= now then
        redis.call('HDEL', KEYS[1], all[i])
    else
        found[#found + 1] = all[i]
        found[#found + 1] = target
    end
end
return found
"""


class RedisAway(Unavailable, kind=Kind.UNAVAILABLE, code="SERVICE_UNAVAILABLE"):
    """Redis is not reachable just now. Try again in a moment."""


class Redis:
    """A client that gives up after `timeout_ms` without a connection, as many without an answer."""

    def __init__(self, url: str, metrics: Metrics, *, timeout_ms: int = 100) -> None:
        self._timeout = timeout = timeout_ms / 1000
        # A few connections carry everything: a burst queues here for microseconds instead of
        # opening hundreds of sockets at once.
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=_once(),
        )
        self._client = redis.asyncio.Redis.from_pool(pool)
        # A blocking command waits longer than any other may take.
        self._waiting = redis.asyncio.Redis.from_url(
            url, socket_connect_timeout=timeout, retry=_once()
        )
        self._errors = metrics.redis_errors
        self._closed_until = 0.0
        self._ringing: asyncio.Task[None] | None = None
        self._ring_again = False

    async def close(self) -> None:
        """Close every connection."""
        if self._ringing:
            self._ringing.cancel()
        await self._client.aclose()
        await self._waiting.aclose()

    async def ping(self) -> None:
        """Ask for a sign of life, whatever the breaker says; raise RedisAway."""
        await self._attempt(self._client.ping())

    async def script(self, script: str, keys: Sequence[str], args: Sequence[int]) -> Any:
        """Run a Lua script in one round trip, or two where Redis forgot it; raise RedisAway."""
        return await self._guarded(self._run(script, keys, args))

    async def _run(self, script: str, keys: Sequence[str], args: Sequence[int]) -> Any:
        try:
            return await self._client.evalsha(_digest(script), len(keys), *keys, *args)
        except redis.exceptions.NoScriptError:
            return await self._client.eval(script, len(keys), *keys, *args)

    async def announce(self, name: str, target: str, *, seconds: int) -> None:
        """Say that a process serves its metrics at `target`, good for so many seconds."""
        await self.evaluate(_ANNOUNCE, _TARGETS, name, target, seconds)

    async def withdraw(self, name: str) -> None:
        """Say that a process serves no metrics any more."""
        await self._attempt(self._client.hdel(_TARGETS, name))

    async def targets(self) -> dict[str, str]:
        """Return what was announced: name of the process to host:port."""
        found: list[bytes] = await self.evaluate(_ANNOUNCED, _TARGETS)
        pairs = zip(found[::2], found[1::2], strict=True)
        return {name.decode(): target.decode() for name, target in sorted(pairs)}

    async def evaluate(self, script: str, key: str, *args: str | int) -> Any:
        """Run a Lua script over one key, whatever the breaker says; raise RedisAway."""
        return await self._attempt(self._client.eval(script, 1, key, *map(str, args)))

    async def suspect_proxy(self, peer: str, *, seconds: int) -> None:
        """Remember a peer that looks like a proxy nobody told us of; raise RedisAway."""
        await self._guarded(self._client.set(_PROXY, peer, ex=seconds))

    async def suspected_proxy(self) -> str | None:
        """Return the peer that was remembered last; raise RedisAway."""
        found: Any = await self._guarded(self._client.get(_PROXY))
        return found.decode(errors="replace") if found else None

    async def forget_proxy(self) -> None:
        """Remember no such peer any more; raise RedisAway."""
        await self._guarded(self._client.delete(_PROXY))

    def ring_relay(self) -> None:
        """Wake a relay, fire and forget; rings that come while one is under way become one."""
        self._ring_again = True
        if self._ringing is None or self._ringing.done():
            self._ringing = asyncio.get_running_loop().create_task(self._ring())

    async def _ring(self) -> None:
        while self._ring_again:
            self._ring_again = False
            pipeline = self._client.pipeline(transaction=False)
            pipeline.lpush(RELAY_BELL, 1)
            pipeline.ltrim(RELAY_BELL, 0, 0)
            try:
                await self._guarded(pipeline.execute())
            except RedisAway:
                return  # the relay polls anyhow

    async def tell_revoked(self) -> None:
        """Hasten every web process to look for what was revoked; they look soon anyhow."""
        with suppress(RedisAway):
            await self._guarded(self._client.publish(REVOKED, b""))

    async def hear_revoked(self, heard: Callable[[], None]) -> None:
        """Call `heard` whenever anybody says that something was revoked; never returns."""
        while True:
            try:
                async with self._waiting.pubsub() as channel:
                    await _cancellable(channel.subscribe(REVOKED))
                    while True:
                        await _cancellable(channel.get_message(timeout=None))
                        heard()
            except (redis.RedisError, OSError, TimeoutError):
                await asyncio.sleep(_REST_SECONDS)

    async def wait_for_bell(self, seconds: float) -> None:
        """Return when a bell rang or after so many seconds, whichever is first."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(seconds + 1):
                await _cancellable(self._waiting.blpop([RELAY_BELL], timeout=seconds))
        except (redis.RedisError, OSError, TimeoutError):
            self._errors.inc()
            await asyncio.sleep(max(0.0, seconds - (time.monotonic() - started)))

    async def _guarded(self, command: Awaitable[T]) -> T:
        now = time.monotonic()
        if now < self._closed_until:
            if asyncio.iscoroutine(command):
                command.close()
            raise RedisAway
        if self._closed_until:  # it was away: one goes and sees, nobody else waits for the answer
            self._closed_until = now + _OPEN_SECONDS
        return await self._attempt(command)

    async def _attempt(self, command: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(2 * self._timeout):
                result = await _cancellable(command)
        except (redis.RedisError, OSError, TimeoutError) as error:
            self._errors.inc()
            self._closed_until = time.monotonic() + _OPEN_SECONDS
            raise RedisAway from error
        self._closed_until = 0.0
        return result


async def _cancellable(command: Awaitable[T]) -> T:
    """Do the command, but end where we were told to meanwhile.

    redis-py sends with `asyncio.wait_for`, which before Python 3.12 forgets a cancellation that
    comes as the sending ends (bpo-37658); who awaits the cancelled task would wait for ever.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        return await command
    finally:
        if task and task.cancelling() > before:
            raise asyncio.CancelledError


def _once() -> redis.asyncio.retry.Retry:
    return redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 0)


@cache
def _digest(script: str) -> str:
    """Return what Redis knows a script by."""
    return sha1(script.encode(), usedforsecurity=False).hexdigest()
