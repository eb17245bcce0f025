"""Writes down how something ended even through a restart of PostgreSQL."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ops.errors import Unavailable

T = TypeVar("T")

_PAUSE_SECONDS = 0.25


async def insist(attempt: Callable[[], Awaitable[T]], *, seconds: float) -> T:
    """Repeat `attempt` while it raises Unavailable, for so many seconds; then raise the last one.

    For what must not be done twice because it could not be noted once; recall is the net beneath.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await attempt()
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)
