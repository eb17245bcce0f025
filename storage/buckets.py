"""Token buckets in Redis, without a refill job: the generic cell rate algorithm (GCRA).

A bucket allows so many events in a window; they may come at once, then one every window/limit.
What is taken in one turn of the loop, or while Redis answers, goes there in one round trip: the
way there and back costs more than the counting.
"""

import asyncio
from dataclasses import dataclass

from ops.errors import Unavailable
from storage.redis import Redis, RedisAway

MICROSECONDS = 1_000_000

# Each key holds its theoretical arrival time in microseconds. Times come from the server, so that
# web processes with different clocks agree. Gives, of each key: allowed, remaining, microseconds to
# wait, microseconds until the bucket is full again.
_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local found = {}
for i, key in ipairs(KEYS) do
    local interval, window = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1])
    local cost = tonumber(ARGV[3 * i])
    local tat = math.max(tonumber(redis.call('GET', key) or now), now)
    local after = math.max(tat + interval * cost, now)
    if cost > 0 and after - now > window then
        found[i] = {0, 0, after - now - window, tat - now}
    else
        local left = math.ceil((after - now) / 1000) + 1
        redis.call('SET', key, string.format('%.0f', after), 'PX', left)
        found[i] = {1, math.floor((window - (after - now)) / interval), 0, after - now}
    end
end
return found
"""
# A script runs alone: nobody else is to wait long for it.
_MOST = 200

# Allowed, remaining, microseconds to wait, microseconds until all is free again.
Taken = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Asked:
    """One caller, who waits."""

    key: str
    window: int
    limit: int
    cost: int
    waiter: asyncio.Future[Taken]


class Buckets:
    """Takes from buckets; the takes that meet travel together."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._asked: list[_Asked] = []
        self._under_way: asyncio.Task[None] | None = None

    async def take(self, key: str, *, limit: int, seconds: int, cost: int) -> Taken:
        """Take so many of `limit` in so many seconds, or give back what is negative.

        Raises RedisAway.
        """
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Taken] = loop.create_future()
        self._asked.append(_Asked(key, seconds * MICROSECONDS, limit, cost, waiter))
        if self._under_way is None or self._under_way.done():
            self._under_way = loop.create_task(self._carry())
        return await waiter

    async def _carry(self) -> None:
        while self._asked:
            batch, self._asked = self._asked[:_MOST], self._asked[_MOST:]
            try:
                await self._carry_one(batch)
            finally:  # whatever happened to us, nobody may wait forever
                for asked in batch:
                    if not asked.waiter.done():
                        asked.waiter.set_exception(RedisAway())

    async def _carry_one(self, batch: list[_Asked]) -> None:
        keys, args = [], []
        for asked in batch:
            keys.append(asked.key)
            args += [asked.window // asked.limit, asked.window, asked.cost]
        try:
            found = await self._redis.script(_TAKE, keys, args)
        except Unavailable:
            return
        for asked, taken in zip(batch, found, strict=True):
            if not asked.waiter.done():  # whoever was cancelled waits no more
                asked.waiter.set_result(tuple(taken))
