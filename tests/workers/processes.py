"""Processes of the house, started as production does and ended by their ids."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.child import Child, Spawn, ended, kill_group, spawn, tell
from tests.nursery import Forking
from tests.ops.stacks import ROOT

# Patience for a busy machine: nothing is found slow by it, only what never comes.
_STARTS = 60.0
_ENDS = 60.0
_COMES = 30.0
_KEPT = ("PATH", "HOME", "LANG", "COVERAGE_PROCESS_START", "COVERAGE_FILE")


@dataclass(slots=True)
class Running:
    """A process and the file of what it says."""

    name: str
    process: Child
    output: Path

    @property
    def events(self) -> list[dict[str, Any]]:
        """What it has logged so far."""
        lines = self.output.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    @property
    def gone(self) -> bool:
        """Whether it has ended."""
        # Another process reaps what it forked for us.
        if isinstance(self.process, subprocess.Popen):
            return ended(self.process)
        return self.process.poll() is not None

    async def says(self, event: str, seconds: float = _STARTS) -> None:
        """Wait until it has logged the event."""

        async def said() -> bool:
            assert not self.gone, self.output.read_text()[-3_000:]
            return any(line["event"] == event for line in self.events)

        await eventually(said, seconds)

    def kill(self) -> None:
        """SIGKILL it, as the kernel does when memory runs out."""
        kill_group(self.process)
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM it; return its exit code."""
        tell(self.process, signal.SIGTERM)
        try:
            return self.process.wait(timeout=_ENDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


Start = Callable[..., Awaitable[Running]]


@contextmanager
def starting(environ: dict[str, str], forking: Forking | None = None) -> Iterator[Start]:
    """Give a function that runs `python -m ...` until it says `ready`; end them all afterwards.

    With `forking` they are forked, as `ops up` does it; else they are interpreters of their own.
    """
    running: list[Running] = []
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    path = os.pathsep.join([str(ROOT), *sys.path])
    with tempfile.TemporaryDirectory(prefix="ost-processes-") as folder:

        async def start(*arguments: str, ready: str, **settings: str) -> Running:
            output = Path(folder, f"{len(running)}.log")
            file = os.open(output, os.O_WRONLY | os.O_CREAT, 0o600)
            how = Spawn(
                death_signal=signal.SIGKILL,
                environment={"PYTHONPATH": path, **kept, **environ, **settings},
                folder=Path(folder),  # where no .env lies
                output=file,
            )
            if forking:
                born: Child = forking.start(arguments[0], arguments[1:], how)
            else:
                born = spawn([sys.executable, "-m", *arguments], how)
            process = Running(arguments[0], born, output)
            os.close(file)
            running.append(process)
            if ready:
                await process.says(ready)
            return process

        try:
            yield start
        finally:
            for process in running:
                tell(process.process, signal.SIGCONT)
                tell(process.process, signal.SIGTERM)
            for process in running:
                process.stop()


async def eventually(is_so: Callable[[], Awaitable[Any]], seconds: float = _COMES) -> float:
    """Wait until something is so, fail when it does not become so; return how long it took."""
    begun = time.monotonic()
    while not await is_so():
        assert time.monotonic() - begun < seconds, f"not so within {seconds} s"
        await asyncio.sleep(0.01)
    return time.monotonic() - begun
