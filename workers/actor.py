"""@actor(SomeJob): which coroutine does which job.

An actor stays a plain coroutine, so that a test awaits it::

    @actor(SendWelcome)
    async def send_welcome(job: SendWelcome, promise: Promise, tools: Tools) -> None: ...

It must be idempotent by `promise.id`: after a hard kill it runs once more.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from storage.jobs import Job
from storage.outbox import Promise
from workers.toolbox import Tools

J = TypeVar("J", bound=Job)
Work = Callable[[J, Promise, Tools], Awaitable[None]]

WORKS: dict[str, tuple[type[Job], Work[Any]]] = {}


def actor(job: type[J]) -> Callable[[Work[J]], Work[J]]:
    """Register the coroutine that does a job; the module is named after the job's queue."""

    def register(work: Work[J]) -> Work[J]:
        if job.name in WORKS:
            raise ValueError(f"{job.name} has two actors")
        WORKS[job.name] = (job, work)
        return work

    return register
