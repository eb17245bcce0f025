"""One process of a Procfile: started, read from, and when it ends, due again after a while."""

import os
import re
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from ops import child
from ops.child import Child, Spawn
from ops.nursery import Nursery
from ops.procfile.lines import Splitter

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
# Nothing that means more to a shell than a word.
_MODULE = re.compile(r"python -m [A-Za-z0-9_./@:,+ -]+")
_FIRST_WAIT, _LONGEST_WAIT = 0.2, 10.0
_LONG_LIFE = 30.0
_QUICK_FAILURE = 5.0
# 2 is what a wrong command line gives, 78 (EX_CONFIG) what our processes give for bad settings.
_CONFIGURATION_CODES = frozenset({2, os.EX_CONFIG})
_PATIENCE_WITH_CONFIGURATION = 5
_CHUNK = 65_536
_LAST_CHUNKS = 16


@dataclass(frozen=True, slots=True)
class ProcessType:
    """One line of a Procfile."""

    name: str
    command: str

    def begin(self, how: Spawn, nursery: Nursery) -> Child:
        """Start the command: a module of the nursery from there, all else through a shell."""
        if _MODULE.fullmatch(self.command):
            _, _, module, *arguments = self.command.split()
            if forked := nursery.fork(module, arguments, how):
                return forked
        # A shell's exec takes no assignments in front of the command; env does.
        prefix = "exec env" if _ASSIGNMENT.match(self.command) else "exec"
        return child.spawn(["/bin/sh", "-c", f"{prefix} {self.command}"], how)


@dataclass(slots=True, eq=False)
class Process:
    """A leader and its group; `due` is when (monotonic) it is to be started again."""

    type: ProcessType
    label: str
    child: Child | None = None
    pipe: int = -1
    due: float | None = None
    code: int | None = None
    _lines: Splitter = field(default_factory=Splitter)
    _born: float = 0.0
    _wait: float = _FIRST_WAIT
    _quick_failures: int = 0

    def start(self, environment: Mapping[str, str], nursery: Nursery) -> None:
        """Start it; its output comes through `pipe`, non-blocking."""
        everything = {
            "PYTHONUNBUFFERED": "1",  # Else lines to a pipe come late, or never after a kill.
            **environment,
            "OSTIARY_PROCESS": self.label,
        }
        self.due, self._born = None, time.monotonic()
        reader, writer = os.pipe()
        how = Spawn(death_signal=signal.SIGTERM, environment=everything, output=writer)
        try:
            self.child = self.type.begin(how, nursery)
        except OSError:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        os.set_blocking(reader, False)
        self.pipe = reader

    def read(self) -> list[str] | None:
        """Return the lines that came, a part of them at a time; None when no more will come."""
        with suppress(BlockingIOError):
            data = os.read(self.pipe, _CHUNK)
            return self._lines.feed(data) if data else None
        return []

    def has_ended(self) -> bool:
        """Tell whether the leader has ended just now; what was left of its group is killed."""
        if self.child is None or not child.ended(self.child):
            return False
        self.code = self.child.returncode
        self.child = None
        return True

    def close(self) -> list[str]:
        """Return the last lines and close the pipe, which a strayed descendant may still hold."""
        lines: list[str] = []
        for _ in range(_LAST_CHUNKS):
            if not (more := self.read()):
                break
            lines += more
        lines += self._lines.rest()
        os.close(self.pipe)
        self.pipe = -1
        return lines

    def plan_restart(self) -> list[str]:
        """Set when to start it again, later each time; return what the operator should read."""
        lived = time.monotonic() - self._born
        if lived >= _LONG_LIFE:
            self._wait = _FIRST_WAIT
        is_quick = self.code in _CONFIGURATION_CODES and lived < _QUICK_FAILURE
        self._quick_failures = self._quick_failures + 1 if is_quick else 0
        if self._quick_failures >= _PATIENCE_WITH_CONFIGURATION:
            self._wait = _LONGEST_WAIT
        said = [f"{self.label} {self._ending()}, starting again in {self._wait:g} s"]
        if self._quick_failures == _PATIENCE_WITH_CONFIGURATION:
            said.append(
                f"{self.label} refuses its configuration: correct what its lines above name (a"
                f" setting, .env), then start anew; it is tried every {_LONGEST_WAIT:g} s"
            )
        self.due = time.monotonic() + self._wait
        self._wait = min(self._wait * 2, _LONGEST_WAIT)
        return said

    def _ending(self) -> str:
        if self.code is None:
            return "could not be started"
        if self.code < 0:
            return f"was killed by {signal.Signals(-self.code).name}"
        return f"ended with status {self.code}"
