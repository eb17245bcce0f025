"""What the status page drew in the last 15 minutes: kept in Redis, and only while somebody looks.

Whoever looks may take the turn to measure, one in five seconds over all web processes, so that all
of them draw the same. The times are those of Redis alone, as in `storage/processes.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from storage.redis import Redis

HISTORY_SECONDS = 900
MAX_POINTS = 180

_KEY = "ostiary:status"
# A little less than the page's own pace, which would miss every other turn otherwise.
_TURN_MILLISECONDS = 4_500

_LOOK = """
local time = redis.call('TIME')
local turn = redis.call('SET', KEYS[1] .. ':turn', 1, 'NX', 'PX', ARGV[1])
return {
    time[1] .. '.' .. string.format('%06d', time[2]), turn and 1 or 0,
    redis.call('GET', KEYS[1] .. ':latest'), redis.call('LRANGE', KEYS[1], 0, -1),
}
"""

_KEEP = """
redis.call('SET', KEYS[1] .. ':latest', ARGV[1], 'EX', ARGV[4])
redis.call('RPUSH', KEYS[1], ARGV[2])
redis.call('LTRIM', KEYS[1], -ARGV[3], -1)
redis.call('EXPIRE', KEYS[1], ARGV[4])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What was measured until now (Unix time), the oldest first, and whose turn it is."""

    now: float
    is_our_turn: bool
    # What the next measurement goes on from; None before the first one.
    latest: Any
    points: Sequence[Mapping[str, Any]]


async def look(redis: Redis) -> Kept:
    """Return what was measured, and take the turn to measure if nobody has it; raise RedisAway."""
    now, turn, latest, points = await redis.evaluate(_LOOK, _KEY, _TURN_MILLISECONDS)
    return Kept(
        now=float(now),
        is_our_turn=bool(turn),
        latest=orjson.loads(latest) if latest else None,
        points=[orjson.loads(point) for point in points],
    )


async def keep(redis: Redis, *, latest: Any, point: Any) -> None:
    """Keep what was measured just now, as JSON, for 15 minutes; raise RedisAway."""
    texts = (orjson.dumps(latest).decode(), orjson.dumps(point).decode())
    await redis.evaluate(_KEEP, _KEY, *texts, MAX_POINTS, HISTORY_SECONDS)
