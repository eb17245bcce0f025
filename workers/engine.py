"""What runs inside a worker process: the loop on which all its jobs run, and its tools."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar
from uuid import UUID

import uvloop
from dramatiq.asyncio import EventLoopThread, get_event_loop_thread, set_event_loop_thread
from dramatiq.middleware import AsyncIO, Middleware
from dramatiq.middleware.middleware import MiddlewareError

from ops.metrics import Metrics
from ops.settings import Settings
from storage.processes import Work
from workers.actor import WORKS
from workers.broker import Broker
from workers.runner import Runner
from workers.toolbox import Tools, open_tools

T = TypeVar("T")


class Loop(AsyncIO):
    """Dramatiq's event loop thread with uvloop in it, which halves what a job costs."""

    def before_worker_boot(self, *_: object) -> None:
        """Start the loop."""
        thread = EventLoopThread(self.logger)
        thread.loop.close()
        thread.loop = uvloop.new_event_loop()
        thread.start(timeout=1.0)
        set_event_loop_thread(thread)

    def end(self) -> None:
        """Stop the loop of a worker that did not come to work."""
        super().after_worker_shutdown(None, None)  # type: ignore[no-untyped-call]


class NotOpened(MiddlewareError):  # noqa: N818 - read as a sentence where it is caught
    """The tools cannot be opened; of all exceptions Dramatiq lets only its own kind through.

    A worker that started all the same would take messages and do nothing.
    """


class Toolbox(Middleware):
    """Opens the tools before the first thread runs, closes them after the last one ended.

    `before_worker_boot` and not `after`: by then the threads would be working already.
    """

    def __init__(self, settings: Settings, broker: Broker, *, name: str, work: Work) -> None:
        self._settings = settings
        self._broker = broker
        self._name = name
        self._work = work
        self._stack = AsyncExitStack()
        self._tools: Tools | None = None
        self._runner: Runner | None = None
        # Over all queues of the process, as connections to the database are.
        self._slots = asyncio.Semaphore(work.threads)
        self._running: set[asyncio.Task[None]] = set()

    def before_worker_boot(self, *_: object) -> None:
        """Open the tools on the worker's loop; raise NotOpened when a server stays away."""
        try:
            on_loop(self._open())
        except Exception as error:
            raise NotOpened(str(error)) from error

    def after_worker_shutdown(self, *_: object) -> None:
        """Close the tools."""
        on_loop(self._stack.aclose())

    async def _open(self) -> None:
        context = open_tools(
            self._settings,
            name=self._name,
            metrics=Metrics(),
            pool_size=self._work.threads + 2,
            work=self._work,
        )
        self._tools = await self._stack.enter_async_context(context)
        self._runner = Runner(self._tools, WORKS)

    def begin(self, queue: str, promise_id: str) -> None:
        """Begin a promise and return at once; called from Dramatiq's thread."""
        thread = get_event_loop_thread()
        if thread is None or self._runner is None:
            raise RuntimeError("the tools are not open")
        thread.loop.call_soon_threadsafe(self._begin, queue, promise_id, self._runner)

    def _begin(self, queue: str, promise_id: str, runner: Runner) -> None:
        task = asyncio.ensure_future(self._run(queue, promise_id, runner))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, queue: str, promise_id: str, runner: Runner) -> None:
        flight = self._broker.in_flight[queue]
        try:
            async with self._slots:
                if self._broker.draining:
                    flight.leave(promise_id)
                else:
                    await runner.run(UUID(promise_id))
        finally:
            flight.end(promise_id)

    async def drain(self, *, grace: float, put_back: float) -> None:
        """Begin nothing more; after `grace` seconds put back what still runs, for others to do."""
        self._broker.draining = True
        if self._running:
            await asyncio.wait(self._running, timeout=grace)
        if self._runner and self._running:
            self._runner.cancel()
            await asyncio.wait(self._running, timeout=put_back)

    def quarantine(self, queue: str, reason: str, message: bytes) -> None:
        """Keep a message that cannot be read; called from a consumer's thread."""
        if self._tools:
            on_loop(_keep(self._tools, queue, reason, message))


async def _keep(tools: Tools, queue: str, reason: str, message: bytes) -> None:
    async with tools.database.reading() as storage:
        await storage.quarantine.add(queue=queue, reason=reason, message=message)
    tools.metrics.quarantined.labels(queue).inc()


def on_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the worker's event loop from another thread and wait for it."""
    thread = get_event_loop_thread()
    if thread is None:
        coroutine.close()
        raise RuntimeError("the worker's event loop is not running")
    return thread.run_coroutine(coroutine)
