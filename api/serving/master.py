"""The master: binds once, keeps WEB_PROCESSES children alive, replaces them on SIGHUP."""

import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass

from api.serving.listener import listen
from ops.child import Child, Spawn, kill_group, tell
from ops.logging import get_logger
from ops.nursery import Nursery
from ops.settings import Settings

_MODULE = "api.serving.child"
_READY_SECONDS = 60.0
_STOP_SECONDS = 8.0
_FIRST_WAIT = 0.5
_LONGEST_WAIT = 10.0
_LONG_LIFE = 30.0

_log = get_logger()


@dataclass(slots=True)
class _Child:
    """One web process: its place, when it was born, and the pipe it says `ready` on."""

    index: int
    process: Child
    ready: int
    born: float


class Master:
    """Keeps the children of one socket."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._name = name
        self._count = settings.processes
        self._drain = settings.drain_seconds
        self._socket = listen(settings.host, settings.port)
        self._nursery = Nursery()
        self._nursery.prepare(_MODULE)
        self._children: dict[int, _Child] = {}
        self._due: dict[int, float] = {}
        self._wait = _FIRST_WAIT
        self._stopping = False
        self._replacing = False
        self._answered = False
        self._wake, self._waker = socket.socketpair()
        self._wake.setblocking(False)
        self._waker.setblocking(False)

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; return the exit code."""
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_replace)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for index in range(1, self._count + 1):
            self._children[index] = self._spawn(index)
        code = self._watch()
        self._stop_all()
        return code

    def _on_stop(self, *_: object) -> None:
        self._stopping = True

    def _on_replace(self, *_: object) -> None:
        self._replacing = True

    def _watch(self) -> int:
        while not self._stopping:
            self._sleep(self._next_due())
            children = list(self._children.values())
            # Before any is looked at for its end: one may have ended that never got ready, while
            # another answers.
            ready = [self._is_ready(child, seconds=0) for child in children if not self._answered]
            self._answered = self._answered or any(ready)
            for child in children:
                code = child.process.poll()
                if code is not None:
                    # Wrong settings, or a server that stayed away from the start: nobody is helped
                    # by trying again in here, whoever started us sees why we end.
                    if code == os.EX_CONFIG or not self._answered:
                        return code
                    self._plan(child, code)
            self._start_due()
            if self._replacing and not self._stopping:
                self._replacing = False
                self._replace()
        return 0

    def _plan(self, child: _Child, code: int) -> None:
        """Have a child that ended started again, later and later when it keeps ending."""
        _log.error("web process ended", index=child.index, code=code)
        os.close(child.ready)
        del self._children[child.index]
        lived = time.monotonic() - child.born
        self._wait = _FIRST_WAIT if lived > _LONG_LIFE else min(self._wait * 2, _LONGEST_WAIT)
        self._due[child.index] = time.monotonic() + (0 if lived > _LONG_LIFE else self._wait)

    def _start_due(self) -> None:
        for index, due in list(self._due.items()):
            if due <= time.monotonic():
                del self._due[index]
                self._children[index] = self._spawn(index)

    def _next_due(self) -> float:
        left = [due - time.monotonic() for due in self._due.values()]
        return max(0.0, min([5.0, *left]))

    def _spawn(self, index: int) -> _Child:
        reader, writer = os.pipe()
        environment = os.environ | {"OSTIARY_PROCESS": f"{self._name}-{index}"}
        descriptors = (self._socket.fileno(), writer)
        how = Spawn(
            death_signal=signal.SIGTERM,
            environment=environment,
            output=sys.stdout.fileno(),
            descriptors=descriptors,
        )
        process = self._nursery.start(_MODULE, [*map(str, descriptors)], how)
        os.close(writer)
        return _Child(index, process, reader, time.monotonic())

    def _replace(self) -> None:
        """Replace the children one by one: the new one answers before the old one is told to go."""
        _log.info("replacing the web processes")
        self._nursery = Nursery()  # the files may say something else by now
        for index, old in sorted(self._children.items()):
            new = self._spawn(index)
            if not self._is_ready(new):
                _log.error("the new web process does not answer; the old ones stay", index=index)
                self._end(new)
                return
            self._children[index] = new
            self._end(old)
            if self._stopping:
                return
        _log.info("web processes replaced", count=len(self._children))

    def _is_ready(self, child: _Child, *, seconds: float = _READY_SECONDS) -> bool:
        """Wait for a child to say that it answers; it says so once."""
        with selectors.DefaultSelector() as selector:
            selector.register(child.ready, selectors.EVENT_READ)
            deadline = time.monotonic() + seconds
            while not self._stopping:
                if selector.select(min(seconds, 0.2)):
                    return os.read(child.ready, 16).startswith(b"ready")
                if time.monotonic() >= deadline:
                    break
        return False

    def _end(self, *children: _Child) -> None:
        """Tell children to stop, wait for them, kill what is left."""
        for child in children:
            tell(child.process, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS + self._drain
        for child in children:
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                kill_group(child.process)
                child.process.wait()
            os.close(child.ready)

    def _stop_all(self) -> None:
        self._socket.close()
        self._end(*self._children.values())

    def _sleep(self, seconds: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake, selectors.EVENT_READ)
            if selector.select(seconds):
                self._wake.recv(4_096)
