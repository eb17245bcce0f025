"""How late the event loop of this process runs: what every request waits besides its own work."""

import asyncio
import time
from collections import deque

from ops.metrics import Metrics

_EVERY_SECONDS = 0.1
# A scrape sees every stall that Prometheus's usual 15 seconds between two hold.
_WINDOW_SECONDS = 15


async def measure_lag(metrics: Metrics) -> None:
    """Ask to be woken ten times a second and see how late that is; never returns.

    The thread of the scrape sees a loop that hangs: it is late for as long as it has not come.
    """
    late: deque[float] = deque(maxlen=round(_WINDOW_SECONDS / _EVERY_SECONDS))
    due = time.monotonic()
    # A copy, since the loop goes on writing; not the loop's own clock, which stands still with it.
    metrics.loop_lag.set_function(lambda: max(0.0, time.monotonic() - due, *tuple(late)))
    while True:
        due = time.monotonic() + _EVERY_SECONDS
        await asyncio.sleep(_EVERY_SECONDS)
        late.append(max(0.0, time.monotonic() - due))
