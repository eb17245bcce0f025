"""Who serves metrics where: announced every 15 seconds, kept for 120, withdrawn on a clean stop.

A process that dies or hangs stays listed until its announcement ends, so that Prometheus sees
`up == 0`: for longer than it takes to discover, to scrape, and to be sure (TargetDown).
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from ops.errors import Unavailable
from ops.lag import measure_lag
from ops.logging import get_logger
from ops.metrics import Listener, Metrics
from ops.settings import Settings
from storage.processes import Work, beat, leave, own_key
from storage.redis import Redis

_BEAT_SECONDS = 15
_KEPT_SECONDS = 120

_log = get_logger()


@asynccontextmanager
async def announced(
    redis: Redis, metrics: Metrics, settings: Settings, *, name: str, work: Work | None = None
) -> AsyncIterator[int]:
    """Serve the metrics of this process, keep saying where, and that it lives; give the port."""
    listener = metrics.listen(settings.metrics_host, settings.metrics_port)
    target = _target(listener)
    # Two processes may bear one name: on two hosts, or the old and the new one of a replacement.
    key = own_key(name, os.getpid())
    # Both for as long as the process is announced.
    tasks = [
        asyncio.create_task(_beat(redis, key, target, work or Work())),
        asyncio.create_task(measure_lag(metrics)),
    ]
    _log.info("metrics served", target=target)
    try:
        yield listener.port
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(Unavailable):
            await redis.withdraw(key)
            await leave(redis, key)
        await asyncio.to_thread(listener.close)


def _target(listener: Listener) -> str:
    """Return host:port as another machine reaches it."""
    host = listener.host
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        host = socket.gethostname()
    return f"[{host}]:{listener.port}" if ":" in host else f"{host}:{listener.port}"


async def _beat(redis: Redis, key: str, target: str, work: Work) -> None:
    while True:
        with suppress(Unavailable):
            await redis.announce(key, target, seconds=_KEPT_SECONDS)
            await beat(redis, key, work)
        await asyncio.sleep(_BEAT_SECONDS)
