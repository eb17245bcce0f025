"""Counting without locks, on every request's way; for what only one thread of a process counts.

The library takes a lock for each number it changes, and looks for a bucket from the first one on.
What it writes out is the same: the numbers are where it keeps them.
"""
# ruff: noqa: SLF001 - the library has no other way to its values than through their locks

from bisect import bisect_left
from collections.abc import Callable

from prometheus_client import Counter, Histogram


def observer_of(child: Histogram) -> Callable[[float], None]:
    """Return what does the same as the child's `observe`."""
    bounds, buckets, total = child._upper_bounds, child._buckets, child._sum

    def observe(seconds: float) -> None:
        total._value += seconds
        buckets[bisect_left(bounds, seconds)]._value += 1

    return observe


def counter_of(child: Counter) -> Callable[[], None]:
    """Return what does the same as the child's `inc`."""
    value = child._value

    def count() -> None:
        value._value += 1

    return count
