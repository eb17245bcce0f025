"""Lines of the access log, which come a moment after the answers they tell of."""

import asyncio

from api.observing import SETTLING_SECONDS


async def settled() -> None:
    """Wait until the lines of all that was answered on this loop are written."""
    await asyncio.sleep(2 * SETTLING_SECONDS)
