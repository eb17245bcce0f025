"""Accidents that `make test` has; each ends when its context does."""

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.chaos.pair import frozen
from tests.watching.drill import Fault, Scene, meanwhile


@asynccontextmanager
async def passwords_are_guessed(scene: Scene) -> AsyncIterator[None]:
    """Try two passwords a second, each at another account and from another address."""
    numbers = itertools.count(1)

    async def guess() -> None:
        await asyncio.gather(scene.load.guess(next(numbers)), asyncio.sleep(0.5))

    async with meanwhile(guess):
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
    with frozen(scene.house.pid("workers", "--queues", "passwords")):
        yield


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
        async with meanwhile(sign_in):
            yield
    finally:
        hidden.rename(version)


# Those of a line happen at once, one line after the other.
FAULTS = (
    (
        Fault(passwords_are_guessed, ("CredentialStuffing",)),
        Fault(a_queue_is_held, ("QueueOldestOld",)),
        Fault(a_worker_hangs, ("TargetDown",)),
    ),
    (
        Fault(
            postgresql_is_gone,
            ("PostgresDown",),
            follow=("SignInServerErrors", "ErrorBudgetBurnFast"),
        ),
    ),
)
