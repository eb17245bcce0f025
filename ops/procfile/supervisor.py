"""Starts processes, passes their output on, starts them again, and stops them together."""

import selectors
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

from ops import child
from ops.nursery import Nursery
from ops.procfile.lines import Printer
from ops.procfile.process import Process, ProcessType
from ops.procfile.signals import Signals

RELEASE = "release"
_ROLLING = "web"
_TICK = 0.5
_AFTER_KILL = 1.5


class Supervisor:
    """Runs the processes of the types from the main thread; see ops.child for why that one.

    The first SIGINT or SIGTERM stops them: SIGTERM to the leaders, `grace` seconds, SIGKILL to
    their groups. A second one kills at once. SIGHUP is passed to `web`.
    """

    def __init__(  # noqa: PLR0913 - it is wired in one place, by keywords
        self,
        types: Sequence[ProcessType],
        *,
        formation: Mapping[str, int],
        environment: Callable[[str], Mapping[str, str]],
        output: TextIO,
        colour: bool,
        grace: float = 8.0,
        nursery: Nursery | None = None,
    ) -> None:
        self._types = {one.name: one for one in types}
        self._planned = [
            Process(kind, f"{kind.name}.{number}")
            for kind in types
            if kind.name != RELEASE
            for number in range(1, formation.get(kind.name, 1) + 1)
        ]
        self._environment = environment
        self._nursery = nursery or Nursery()
        labels = [RELEASE] if RELEASE in self._types else []
        labels += [process.label for process in self._planned]
        self._printer = Printer(output, labels=labels, colour=colour)
        self._grace = grace
        self._processes: list[Process] = []
        self._selector = selectors.DefaultSelector()
        self._signals = Signals()
        self._is_stopping = False
        self._kill_at: float | None = None
        self._give_up_at: float | None = None
        self._had_to_kill = False
        self._is_looping = False

    @property
    def pids(self) -> dict[str, int]:
        """The leaders' process ids by label (web.1)."""
        return {one.label: one.child.pid for one in self._processes if one.child}

    def run_once(self, name: str, meanwhile: Callable[[], None] = lambda: None) -> int:
        """Run one process to its end, once; return its exit code as a shell counts it.

        `meanwhile` is called once it has started.
        """
        process = Process(self._types[name], name)
        self._processes = [process]
        self._signals.open(self._selector)
        self._start(process)
        meanwhile()
        self._loop(None, restarts=False)
        self._processes = []
        code = 1 if process.code is None else process.code
        return code if code >= 0 else 128 - code

    def start(self) -> None:
        """Start the formation; from now on signals are kept for `supervise`.

        Nothing is started when a signal came during `run_once` and asked us to stop.
        """
        self._signals.open(self._selector)
        if self._is_stopping:
            return
        self._processes = self._planned
        for process in self._processes:
            self._start(process)

    def supervise(self, tick: Callable[[], None] | None = None) -> int:
        """Keep the processes running until SIGINT, SIGTERM or stop(); call `tick` twice a second.

        Returns 0, or 1 when a process had to be killed because it did not end in time.
        """
        self._loop(tick, restarts=True)
        return 1 if self._had_to_kill else 0

    def stop(self) -> None:
        """Stop the processes; outside of `supervise` this also waits for their end."""
        if not self._is_stopping:
            self._begin_stop()
        if not self._is_looping:
            self._loop(None, restarts=False)

    def _loop(self, tick: Callable[[], None] | None, *, restarts: bool) -> None:
        self._is_looping = True
        next_tick = time.monotonic()
        try:
            while self._is_busy():
                self._turn(restarts=restarts)
                if tick and time.monotonic() >= next_tick:
                    next_tick = time.monotonic() + _TICK
                    tick()
        except BaseException:
            self._kill()
            raise
        finally:
            self._is_looping = False
            self._signals.close(self._selector)

    def _is_busy(self) -> bool:
        if self._give_up_at is not None and time.monotonic() > self._give_up_at:
            return False
        return any(one.child or one.due is not None for one in self._processes)

    def _turn(self, *, restarts: bool) -> None:
        moments = [one.due for one in self._processes if one.due is not None]
        moments += [] if self._kill_at is None else [self._kill_at]
        now = time.monotonic()
        wait = min([_TICK, *(max(0.0, moment - now) for moment in moments)])
        for key, _ in self._selector.select(wait):
            if isinstance(key.data, Process):
                self._pass_on(key.data)
        for number in self._signals.taken():
            self._handle(number)
        for process in self._processes:
            if process.has_ended():
                self._bury(process, restarts=restarts)
            elif process.due is not None and time.monotonic() >= process.due:
                self._start(process)
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._kill()

    def _start(self, process: Process) -> None:
        try:
            process.start(self._environment(process.type.name), self._nursery)
        except OSError as error:  # No memory, too many processes or files: that may pass.
            self._printer.say(f"{process.label}: {error}")
            process.code = None
            self._say_all(process.plan_restart())
            return
        self._selector.register(process.pipe, selectors.EVENT_READ, process)

    def _pass_on(self, process: Process) -> None:
        lines = process.read()
        if lines is None:
            self._selector.unregister(process.pipe)
        else:
            self._printer.write(process.label, lines)

    def _bury(self, process: Process, *, restarts: bool) -> None:
        if process.pipe in self._selector.get_map():
            self._selector.unregister(process.pipe)
        self._printer.write(process.label, process.close())
        if restarts and not self._is_stopping:
            self._say_all(process.plan_restart())

    def _handle(self, number: int) -> None:
        if number == signal.SIGHUP and not self._signals.lost_the_terminal():
            for process in self._processes:
                if process.child and process.type.name == _ROLLING:
                    child.tell(process.child, signal.SIGHUP)
        elif number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if self._is_stopping:
                self._kill_at = time.monotonic()
            else:
                self._begin_stop()

    def _begin_stop(self) -> None:
        self._is_stopping = True
        self._kill_at = time.monotonic() + self._grace
        for process in self._processes:
            process.due = None
            # To the leaders only: one that stops children of its own must not find them gone.
            if process.child:
                child.tell(process.child, signal.SIGTERM)

    def _kill(self) -> None:
        for process in self._processes:
            process.due = None
            if process.child:
                self._had_to_kill = True
                self._printer.say(f"{process.label} did not end in time: killed")
                child.kill_group(process.child)
        self._kill_at = None
        self._give_up_at = time.monotonic() + _AFTER_KILL

    def _say_all(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._printer.say(line)
