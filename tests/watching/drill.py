"""How accidents are held: they happen, alerts have to fire; they end, alerts have to end."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from tests.watching.house import House
from tests.watching.load import Load
from tests.watching.prometheus import Alertmanager, Prometheus

# A process that was killed is listed for two minutes.
_PATIENCE = 200.0
# From Prometheus to Alertmanager.
_ON_ITS_WAY = 1.5


@dataclass(frozen=True, slots=True)
class Scene:
    """Where accidents happen."""

    house: House
    load: Load
    prometheus: Prometheus
    alertmanager: Alertmanager


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happens, and the alerts that have to fire.

    Those in `follow` are not passed on: what the others tell is their cause.
    """

    happens: Callable[[Scene], AbstractAsyncContextManager[None]]
    tell: tuple[str, ...]
    follow: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """How many seconds an alert took to fire, and then to end after its cause had."""

    alert: str
    fired: float
    resolved: float
    # Whether Alertmanager kept it to itself, since another one tells of the cause.
    inhibited: bool


async def drill(scene: Scene, *faults: Fault) -> list[Told]:
    """Let the faults happen at once until all their alerts fire; then wait until none does."""
    alerts = [alert for fault in faults for alert in (*fault.tell, *fault.follow)]
    async with AsyncExitStack() as accidents:
        for fault in faults:
            await accidents.enter_async_context(fault.happens(scene))
        fired = await _times(scene, alerts, lambda alert, firing: alert in firing)
        await asyncio.sleep(_ON_ITS_WAY)
        inhibited = await scene.alertmanager.inhibited()
    resolved = await _times(scene, alerts, lambda alert, firing: alert not in firing)
    return [
        Told(alert, fired[alert], resolved[alert], inhibited=alert in inhibited) for alert in alerts
    ]


async def _times(
    scene: Scene, alerts: list[str], is_so: Callable[[str, set[str]], bool]
) -> dict[str, float]:
    """Return after how many seconds it was so of each alert for the first time."""
    began = time.monotonic()
    times: dict[str, float] = {}

    def note(firing: set[str]) -> bool:
        for alert in alerts:
            if alert not in times and is_so(alert, firing):
                times[alert] = round(time.monotonic() - began, 1)
        return len(times) == len(alerts)

    await scene.prometheus.until(note, _PATIENCE)
    return times


@asynccontextmanager
async def meanwhile(work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Do it again and again."""
    task = asyncio.create_task(_forever(work))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _forever(work: Callable[[], Awaitable[None]]) -> None:
    while True:
        await work()
