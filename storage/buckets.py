"""Token buckets in Redis, without a refill job: the generic cell rate algorithm (GCRA).

A bucket allows so many events in a window; they may come at once, then one every window/limit.
"""

from collections.abc import Sequence

from storage.batches import Batches
from storage.redis import Redis

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

# Allowed, remaining, microseconds to wait, microseconds until all is free again.
Taken = tuple[int, int, int, int]
# A key, and the interval, window and cost of what is taken.
_Asked = tuple[str, tuple[int, int, int]]


class Buckets:
    """Takes from buckets; the takes of one moment share a script and a round trip."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._takes = Batches[_Asked, Taken](self._take_all)

    async def take(self, key: str, *, limit: int, seconds: int, cost: int) -> Taken:
        """Take so many of `limit` in so many seconds, or give back what is negative.

        Raises RedisAway.
        """
        window = seconds * MICROSECONDS
        return await self._takes.ask((key, (window // limit, window, cost)))

    async def _take_all(self, asked: Sequence[_Asked]) -> list[Taken]:
        keys = [key for key, _ in asked]
        found = await self._redis.script(_TAKE, keys, [number for _, of in asked for number in of])
        return [tuple(taken) for taken in found]
