"""Child processes that end with their parent: own session, death signal, end of the whole group."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

_PR_SET_PDEATHSIG = 1
# Looked up once and before any fork: the loader's lock may be held by another thread at the fork.
_PRCTL: Callable[..., int] | None = (
    ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None
)
_PARENT_IS_GONE = 70


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine to become; only root can."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawn:
    """How a child is to be born; `account=None` means as whom we are.

    Without `errors`, stderr goes where stdout goes.
    """

    death_signal: signal.Signals
    environment: Mapping[str, str]
    folder: Path | None = None
    account: Account | None = None
    input: int | IO[bytes] = subprocess.DEVNULL
    output: int | IO[bytes] = subprocess.DEVNULL
    errors: int | IO[bytes] = subprocess.STDOUT
    descriptors: tuple[int, ...] = ()


class Child(Protocol):
    """A child of ours that somebody has to reap: a `subprocess.Popen`, or one that was forked."""

    pid: int
    returncode: Any

    def poll(self) -> int | None:
        """Reap it if it has ended, and return its exit code."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return its exit code; subprocess.TimeoutExpired after a while."""


def spawn(command: Sequence[str | os.PathLike[str]], how: Spawn) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own.

    On Linux the child gets `how.death_signal` when the *thread* that called this ends, however it
    ends: call it from the main thread.
    """
    account = how.account
    return subprocess.Popen(
        command,
        stdin=how.input,
        stdout=how.output,
        stderr=how.errors,
        cwd=how.folder,
        env=dict(how.environment),
        start_new_session=True,
        pass_fds=how.descriptors,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        umask=0o077 if account else -1,
        # Runs after setuid, which would have cleared the death signal.
        preexec_fn=farewell(how.death_signal, os.getpid()),  # noqa: PLW1509
    )


def farewell(death_signal: signal.Signals, parent: int) -> Callable[[], None]:
    """Make what a child runs first: it will be sent the signal when this parent ends."""

    def prepare() -> None:
        # A shell starts background jobs with SIGINT ignored, and ignored signals are inherited.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
        if _PRCTL is None:
            return
        _PRCTL(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # The parent died before the prctl: nobody will tell us.
            os._exit(_PARENT_IS_GONE)

    return prepare


def ended(child: Child) -> bool:
    """Tell whether the child has ended; if so, kill what is left of its group, then reap it."""
    if child.returncode is not None:
        return True
    if hasattr(os, "waitid"):
        # WNOWAIT leaves a zombie behind, so that the group id cannot be reused before the kill.
        left = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if left is None:
            return False
    elif child.poll() is None:
        return False
    kill_group(child)
    child.wait()
    return True


def kill_group(child: Child) -> None:
    """SIGKILL the child and every descendant that stayed in its session's group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def tell(child: Child, what: signal.Signals) -> None:
    """Send a signal to the child alone; nothing happens when it is gone."""
    # Popen.send_signal would reap a child that has just ended, and `ended` would then leave what
    # remains of its group alone. Unreaped, its process id cannot belong to anybody else.
    if child.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(child.pid, what)


def is_alive(pid: int) -> bool:
    """Tell whether a process has this id, whoever owns it (a zombie counts)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def of_folder(folder: Path, programs: frozenset[str]) -> list[int]:
    """Process ids of the programs that work in this folder (both servers change into their data).

    Without /proc (macOS) the folder is looked for in the command lines instead.
    """
    if not Path("/proc/self").exists():
        return _by_command_line(folder, programs)
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):  # It ended meanwhile, or belongs to somebody else.
            if (entry / "comm").read_text().strip() not in programs:
                continue
            if (entry / "cwd").samefile(folder):
                found.append(int(entry.name))
    return sorted(found)


def _by_command_line(folder: Path, programs: frozenset[str]) -> list[int]:
    listing = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,command="], capture_output=True, text=True, check=False
    )
    found = []
    for line in listing.stdout.splitlines():
        pid, _, command = line.strip().partition(" ")
        if str(folder) in command and any(program in command for program in programs):
            found.append(int(pid))
    return [pid for pid in found if pid != os.getpid()]
