"""One server process: started with its log, watched, stopped; and its orphans ended."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ops import child
from ops.child import Account, Spawn
from ops.stack.home import Place, Progress, StackError

_POLL = 0.01
_LOG_LIMIT = 10_000_000
_ORPHAN_PATIENCE = 10.0

Escalation = Sequence[tuple[signal.Signals, float]]


@dataclass(frozen=True, slots=True)
class Log:
    """A server's log: one file, and the one before it when it grew big."""

    folder: Path
    name: str
    account: Account | None

    def open(self) -> int:
        """Open for appending; never through a link, since the folder is the account's own."""
        self.trim()
        folder = os.open(self.folder, os.O_DIRECTORY | os.O_NOFOLLOW)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        try:
            descriptor = os.open(self.name, flags, 0o600, dir_fd=folder)
        finally:
            os.close(folder)
        if self.account:
            os.fchown(descriptor, self.account.uid, self.account.gid)
        return descriptor

    def trim(self) -> None:
        """Keep the last part of a big log, in place: the server goes on appending to the file."""
        path = self.folder / self.name
        if path.is_symlink() or not path.exists() or path.stat().st_size < _LOG_LIMIT:
            return
        with path.open("r+b") as file:
            file.seek(-_LOG_LIMIT // 10, os.SEEK_END)
            last = file.read()
            file.truncate(0)
            file.seek(0)
            file.write(last)

    def tail(self, size: int = 2000) -> list[str]:
        """Return the last lines, for an error message."""
        with (self.folder / self.name).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            return file.read().decode(errors="replace").splitlines()


class Server:
    """A server of the stack; `stops` are the signals to stop it, each with its patience."""

    def __init__(self, name: str, place: Place, stops: Escalation) -> None:
        self.name = name
        self.log = Log(place.folder("log"), f"{name}.log", place.account)
        self._account: Account | None = place.account
        self._stops = stops
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return None if self._child is None or self.died else self._child.pid

    @property
    def died(self) -> bool:
        """Whether it was started and ended without being told."""
        return self._child is not None and self._child.poll() is not None

    def launch(self, command: Sequence[str | Path], folder: Path) -> None:
        """Start it with `folder` as its working directory."""
        output = self.log.open()
        how = Spawn(
            death_signal=self._stops[0][0],
            environment=environment({}),
            folder=folder,
            account=self._account,
            output=output,
        )
        try:
            self._child = child.spawn(command, how)
        finally:
            os.close(output)

    def await_ready(self, ready: Callable[[], bool], slow: Callable[[], None]) -> None:
        """Wait as long as it lives and is not ready; `slow` is called once after 3 seconds."""
        begun, told = time.monotonic(), False
        while not ready():
            if self.died:
                raise StackError(self._last_words())
            if not told and time.monotonic() - begun > 3.0:  # noqa: PLR2004 - see the docstring
                told = True
                slow()
            time.sleep(_POLL)

    def tell_to_stop(self) -> None:
        """Send the first, friendly signal and return at once."""
        if self._child is not None:
            child.tell(self._child, self._stops[0][0])

    def await_stop(self) -> None:
        """Wait for the end, with ever harder signals."""
        if self._child is None:
            return
        for position, (what, patience) in enumerate(self._stops):
            if position:
                child.tell(self._child, what)
            if _await(lambda: self._child is None or child.ended(self._child), patience):
                break
        self._child = None

    def _last_words(self) -> str:
        lines = self.log.tail()
        telling = [line for line in lines if "FATAL" in line or "PANIC" in line or " # " in line]
        words = (telling or lines or ["it said nothing"])[-1].strip()
        full = any("No space left on device" in line for line in lines)
        cure = "free some disk space" if full else f"read {self.log.folder / self.log.name}"
        return f"{self.name} ended while it started ({words}): {cure} and start again."


def run(
    command: Sequence[str | Path],
    how: Spawn,
    *,
    task: str,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Run a short program to its end; what it says is the error's text when it fails."""
    process = child.spawn(command, replace(how, output=subprocess.PIPE))
    meanwhile()
    said, _ = process.communicate()
    if process.returncode:
        lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line]
        words = next((line for line in lines if "rror" in line or "FATAL" in line), "")
        raise StackError(f"{task} failed ({words or lines[-1:]}): mend that and start again.")


def environment(extra: dict[str, str]) -> dict[str, str]:
    """Make a server's environment: none of ours, which may hold PG* variables and secrets."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC", **extra}


def end_orphans(
    folder: Path, programs: frozenset[str], stops: Escalation, progress: Progress
) -> None:
    """End servers still working in our folder; we hold its lock, so their parent is gone.

    They were told to stop when it died: they are given time before they are told again.
    """
    left = child.of_folder(folder, programs)
    if not left:
        return
    progress(f"Waiting for the former servers in {folder} to end: {_listed(left)}")
    if _await(lambda: not child.of_folder(folder, programs), _ORPHAN_PATIENCE):
        return
    for what, patience in stops:
        for pid in child.of_folder(folder, programs):
            if child.is_alive(pid):
                os.kill(pid, what)
        if _await(lambda: not child.of_folder(folder, programs), patience):
            return
    left = child.of_folder(folder, programs)
    raise StackError(f"Former servers in {folder} do not end: run `kill -9 {_listed(left)}`.")


def _listed(pids: Sequence[int]) -> str:
    return " ".join(map(str, pids))


def _await(done: Callable[[], bool], patience: float) -> bool:
    deadline = time.monotonic() + patience
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True
