"""One worker process: the jobs of its queues, on one event loop, until told to stop."""

import importlib
import signal
import threading
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any, TypeVar
from uuid import UUID

import dramatiq
from dramatiq import Worker
from dramatiq.asyncio import async_to_sync, get_event_loop_thread
from dramatiq.middleware import AsyncIO, Middleware
from dramatiq.middleware.middleware import MiddlewareError

from ops.logging import get_logger
from ops.metrics import Metrics
from ops.settings import Settings
from storage.jobs import queue_of
from workers.actor import WORKS
from workers.broker import Broker
from workers.runner import Runner
from workers.toolbox import Tools, open_tools

T = TypeVar("T")

_GRACE_SECONDS = 4.0
_WAKE_MS = 1_000
_LOOK_SECONDS = 1.0

_log = get_logger()


class NotOpened(MiddlewareError):  # noqa: N818 - read as a sentence where it is caught
    """The tools cannot be opened; of all exceptions Dramatiq lets only its own kind through.

    A worker that started all the same would take messages and do nothing.
    """


class Toolbox(Middleware):
    """Opens the tools before the first thread runs, closes them after the last one ended.

    `before_worker_boot` and not `after`: by then the threads would be working already.
    """

    def __init__(self, settings: Settings, *, name: str, threads: int) -> None:
        self._settings = settings
        self._name = name
        self._threads = threads
        self._stack = AsyncExitStack()
        self._tools: Tools | None = None
        self._runner: Runner | None = None

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
            self._settings, name=self._name, metrics=Metrics(), pool_size=self._threads + 2
        )
        self._tools = await self._stack.enter_async_context(context)
        self._runner = Runner(self._tools, WORKS)

    async def run(self, promise_id: str) -> None:
        """Do one promise."""
        if self._runner is None:
            raise RuntimeError("the tools are not open")
        await self._runner.run(UUID(promise_id))

    def quarantine(self, queue: str, reason: str, message: bytes) -> None:
        """Keep a message that cannot be read; called from a consumer's thread."""
        if self._tools:
            on_loop(_keep(self._tools, queue, reason, message))

    def interrupt(self) -> None:
        """Put back what is still running, for another worker; called on the loop."""
        if self._runner:
            self._runner.cancel()


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


def serve(settings: Settings, *, queues: Sequence[str], threads: int, name: str) -> int:
    """Work until SIGTERM or SIGINT; return the exit code, 1 when a thread ended by itself."""
    for queue in queues:
        importlib.import_module(f"workers.{queue}")
    toolbox = Toolbox(settings, name=name, threads=threads)
    broker = Broker(settings.redis_url, middleware=[AsyncIO(), toolbox])
    broker.quarantined = toolbox.quarantine
    _declare(broker, toolbox, queues)
    stop = threading.Event()
    # Until something is worked on, a signal may simply end us: a server that stays away would keep
    # us waiting for half a minute.
    _on_signals(signal.SIG_DFL)
    worker = Worker(broker, queues=set(queues), worker_threads=threads, worker_timeout=_WAKE_MS)
    try:
        worker.start()
    except NotOpened as error:
        AsyncIO().after_worker_shutdown(broker, worker)
        raise error.__cause__ or error from None
    _on_signals(lambda *_: stop.set())
    _log.info("working", queues=list(queues), threads=threads)
    whole = True
    while whole and not stop.wait(_LOOK_SECONDS):
        whole = _is_whole(worker)
    if not whole:
        _log.error("a thread ended, so the process ends too")
    _stop(worker, toolbox)
    broker.close()
    return 0 if whole else 1


def _on_signals(handler: Any) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)


def _is_whole(worker: Worker) -> bool:
    """Whether every thread lives: a worker that lost one looks healthy and works on nothing."""
    loop = get_event_loop_thread()
    threads = [*worker.workers, *worker.consumers.values(), *([loop] if loop else [])]
    return all(thread.is_alive() for thread in threads)


def _declare(broker: Broker, toolbox: Toolbox, queues: Sequence[str]) -> None:
    run = async_to_sync(toolbox.run)
    for name in WORKS:
        if queue_of(name) in queues:
            dramatiq.actor(actor_name=name, queue_name=queue_of(name), broker=broker)(run)


def _stop(worker: Worker, toolbox: Toolbox) -> None:
    """Let running jobs finish for a while, then put them back."""
    thread = get_event_loop_thread()
    if thread:
        loop = thread.loop
        loop.call_soon_threadsafe(loop.call_later, _GRACE_SECONDS, toolbox.interrupt)
    worker.stop(timeout=int((_GRACE_SECONDS + 3) * 1000))
    _log.info("stopped")
