"""Accidents, each with the alerts that it has to raise; they end when their context does."""

import asyncio
import itertools
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from tests.watching.house import House
from tests.watching.load import Load
from tests.watching.prometheus import Alertmanager, Prometheus

_PATIENCE = 60.0
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
    """Something that happens, and the alerts that have to tell of it."""

    happens: Callable[[Scene], AbstractAsyncContextManager[None]]
    alerts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """How many seconds an alert took to fire, and then to end after its cause had."""

    alert: str
    fired: float
    resolved: float
    # Whether Alertmanager kept it to itself, since another one tells of the cause.
    inhibited: bool


async def drill(scene: Scene, *faults: Fault) -> list[Told]:
    """Let the faults happen at once, until all their alerts fire; then wait until none does."""
    alerts = [alert for fault in faults for alert in fault.alerts]
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
async def _meanwhile(work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    task = asyncio.create_task(_forever(work))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _forever(work: Callable[[], Awaitable[None]]) -> None:
    while True:
        await work()


@asynccontextmanager
async def passwords_are_guessed(scene: Scene) -> AsyncIterator[None]:
    """Try two passwords a second, each at another account and from another address."""
    numbers = itertools.count(1)

    async def guess() -> None:
        await asyncio.gather(scene.load.guess(next(numbers)), asyncio.sleep(0.5))

    async with _meanwhile(guess):
        yield


@asynccontextmanager
async def a_queue_is_held(scene: Scene) -> AsyncIterator[None]:
    """Hold the letters' queue, as an administrator does and forgets."""
    await scene.load.administer("/admin/queues/emails/hold", {"reason": "a drill"})
    await scene.load.register()
    try:
        yield
    finally:
        await scene.load.administer("/admin/queues/emails/release", {})


@asynccontextmanager
async def a_worker_hangs(scene: Scene) -> AsyncIterator[None]:
    """Stop a worker from doing anything, without ending it."""
    worker = scene.house.pid("workers", "--queues", "passwords")
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


@asynccontextmanager
async def postgresql_is_gone(scene: Scene) -> AsyncIterator[None]:
    """Shut PostgreSQL down, and take away what it needs to be started again."""
    data = scene.house.home / "postgres"
    version, hidden = data / "PG_VERSION", data / "PG_VERSION.away"
    version.rename(hidden)
    os.kill(scene.house.pid("-D", str(data)), signal.SIGINT)

    async def sign_in() -> None:
        await asyncio.gather(scene.load.sign_in(), asyncio.sleep(0.3))

    try:
        async with _meanwhile(sign_in):
            yield
    finally:
        hidden.rename(version)


AT_ONCE = (
    Fault(passwords_are_guessed, ("CredentialStuffing",)),
    Fault(a_queue_is_held, ("QueueOldestOld",)),
    Fault(a_worker_hangs, ("TargetDown",)),
)
LATER: tuple[Fault, ...] = ()
THEN = (Fault(postgresql_is_gone, ("PostgresDown", "SignInServerErrors", "ErrorBudgetBurnFast")),)
