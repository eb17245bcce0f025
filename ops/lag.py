"""How late the event loop of this process runs: what every request waits besides its own work."""

import asyncio
from collections import deque

from ops.metrics import Metrics

_EVERY_SECONDS = 0.1
# A scrape sees every stall that Prometheus's usual 15 seconds between two hold.
_WINDOW_SECONDS = 15


async def measure_lag(metrics: Metrics) -> None:
    """Ask to be woken ten times a second and see how late that is; never returns."""
    loop = asyncio.get_running_loop()
    late: deque[float] = deque(maxlen=round(_WINDOW_SECONDS / _EVERY_SECONDS))
    # Read by the thread of the scrape: a copy, since the loop goes on writing.
    metrics.loop_lag.set_function(lambda: max(tuple(late), default=0.0))
    while True:
        due = loop.time() + _EVERY_SECONDS
        await asyncio.sleep(_EVERY_SECONDS)
        late.append(max(0.0, loop.time() - due))
