"""Moments as texts: RFC 3339 in UTC, as answers and lines of the log have them."""

import time
from datetime import UTC, datetime
from functools import lru_cache


def now_in_milliseconds() -> str:
    """Return this moment, such as 2026-11-21T10:00:00.123Z."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{_second(seconds)}.{nanoseconds // 1_000_000:03d}Z"


def in_microseconds(moment: int) -> str:
    """Return a moment in nanoseconds of the epoch, such as 2026-11-21T10:00:00.123456Z."""
    microseconds = moment // 1_000
    return f"{_second(microseconds // 1_000_000)}.{microseconds % 1_000_000:06d}Z"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
