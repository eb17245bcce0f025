"""A job for trying the runner, and works that do as told."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

from storage.jobs import Job
from storage.outbox import Promise
from workers.runner import Runner, Timing
from workers.toolbox import Tools


@dataclass(frozen=True, slots=True)
class Try(Job):
    """A job for trying the runner."""

    name: ClassVar[str] = "emails.try"
    time_limit: ClassVar[float] = 5
    max_attempts: ClassVar[int] = 5
    first_backoff: ClassVar[float] = 10
    longest_backoff: ClassVar[float] = 30

    number: int = 0


Do = Callable[[Try, Promise, Tools], Awaitable[None]]


def runner(tools: Tools, work: Do, timing: Timing | None = None) -> Runner:
    return Runner(tools, {Try.name: (Try, work)}, timing)


def raising(error: Exception) -> Do:
    async def work(_: Try, __: Promise, ___: Tools) -> None:
        raise error

    return work


class Noting:
    """Does nothing but note what it did."""

    def __init__(self) -> None:
        self.did: list[int] = []

    async def __call__(self, job: Try, _: Promise, __: Tools) -> None:
        """Do it."""
        self.did.append(job.number)


class Waiting:
    """Begins, and ends when told."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()

    async def __call__(self, _: Try, __: Promise, ___: Tools) -> None:
        """Do it."""
        self.begun.set()
        await self.may_end.wait()
