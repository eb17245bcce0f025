"""One worker process: the jobs of its queues, on one event loop, until told to stop."""

import functools
import importlib
import signal
import threading
from collections.abc import Sequence
from typing import Any

import dramatiq
from dramatiq import Worker
from dramatiq.asyncio import get_event_loop_thread

from ops.logging import get_logger
from ops.settings import Settings
from storage.jobs import queue_of
from storage.processes import Work
from workers.actor import WORKS
from workers.broker import Broker
from workers.engine import Loop, NotOpened, Toolbox, on_loop

_GRACE_SECONDS = 4.0
_PUT_BACK_SECONDS = 3.0
_WAKE_MS = 1_000
_LOOK_SECONDS = 1.0

_log = get_logger()


def serve(settings: Settings, *, queues: Sequence[str], threads: int, name: str) -> int:
    """Work until SIGTERM or SIGINT; return the exit code, 1 when a thread ended by itself."""
    for queue in queues:
        importlib.import_module(f"workers.{queue}")
    broker = Broker(settings.redis_url)
    toolbox = Toolbox(settings, broker, name=name, work=Work(queues, threads))
    for middleware in (Loop(), toolbox):
        broker.add_middleware(middleware)
    broker.quarantined = toolbox.quarantine
    _declare(broker, toolbox, queues)
    stop = threading.Event()
    # Until something is worked on, a signal may simply end us: a server that stays away would keep
    # us waiting for half a minute.
    _on_signals(signal.SIG_DFL)
    # One thread begins jobs, all of which run on one loop. What is fetched begins at once, so that
    # no urgent message waits behind others in our memory.
    worker = Worker(broker, queues=set(queues), worker_threads=1, worker_timeout=_WAKE_MS)
    worker.queue_prefetch = threads
    try:
        worker.start()
    except NotOpened as error:
        Loop().end()
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
    for name in WORKS:
        if queue_of(name) in queues:
            begin = functools.partial(toolbox.begin, queue_of(name))
            functools.update_wrapper(begin, toolbox.begin)
            dramatiq.actor(actor_name=name, queue_name=queue_of(name), broker=broker)(begin)


def _stop(worker: Worker, toolbox: Toolbox) -> None:
    """Let running jobs finish for a while, then put them back."""
    if get_event_loop_thread():
        on_loop(toolbox.drain(grace=_GRACE_SECONDS, put_back=_PUT_BACK_SECONDS))
    worker.stop(timeout=int(_PUT_BACK_SECONDS * 1000))
    _log.info("stopped")
