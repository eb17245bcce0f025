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
MAX_SAMPLES = 180

# The number is that of the form: while a release replaces another, neither reads the other's.
_KEY = "ostiary:status:1"
# A little less than the page's own pace, which would miss every other turn otherwise.
_TURN_MILLISECONDS = 4_500

_LOOK = """
local time = redis.call('TIME')
local turn = redis.call('SET', KEYS[1] .. ':turn', 1, 'NX', 'PX', ARGV[1])
return {
    time[1] .. '.' .. string.format('%06d', time[2]), turn and 1 or 0,
    redis.call('GET', KEYS[1] .. ':snapshot'), redis.call('LRANGE', KEYS[1], 0, -1),
}
"""

_KEEP = """
redis.call('SET', KEYS[1] .. ':snapshot', ARGV[1], 'EX', ARGV[4])
redis.call('RPUSH', KEYS[1], ARGV[2])
redis.call('LTRIM', KEYS[1], -ARGV[3], -1)
redis.call('EXPIRE', KEYS[1], ARGV[4])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What was measured until now (Unix time), the oldest first, and whose turn it is."""

    now: float
    is_our_turn: bool
    # Every process as it was read last; None before the first time.
    snapshot: Mapping[str, Any] | None
    samples: Sequence[Mapping[str, Any]]


async def look(redis: Redis) -> Kept:
    """Return what was measured, and take the turn to measure if nobody has it; raise RedisAway."""
    now, turn, snapshot, samples = await redis.evaluate(_LOOK, _KEY, _TURN_MILLISECONDS)
    return Kept(
        now=float(now),
        is_our_turn=bool(turn),
        snapshot=orjson.loads(snapshot) if snapshot else None,
        samples=[orjson.loads(sample) for sample in samples],
    )


async def keep(redis: Redis, *, snapshot: Any, sample: Any) -> None:
    """Keep what was measured just now, as JSON, for 15 minutes; raise RedisAway."""
    texts = (orjson.dumps(snapshot).decode(), orjson.dumps(sample).decode())
    await redis.evaluate(_KEEP, _KEY, *texts, MAX_SAMPLES, HISTORY_SECONDS)
