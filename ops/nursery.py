"""Children that start at once: forked from a process that imported what they run, and no more.

A fork copies locks that other threads hold, and connections; so it is done only while this process
has no other thread, and what is forked opens everything itself. Otherwise, and where it is not
Linux, a child is an interpreter of its own, as `python -m` starts it; it works alike.
"""

import atexit
import gc
import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from types import ModuleType
from typing import IO, NoReturn

from setproctitle import setproctitle

from ops.child import Child, Spawn, farewell, spawn

_STANDARD = 3  # stdin, stdout, stderr
_POLL = 0.01


class Forked:
    """A forked child, as `subprocess.Popen` is a started one."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Reap it if it has ended; return its exit code, or minus the signal that killed it."""
        if self.returncode is None:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            if found:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; subprocess.TimeoutExpired when that takes too long."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(f"pid {self.pid}", timeout or 0)
            time.sleep(_POLL)
        return code


class Nursery:
    """What this process has imported for its children; an empty one starts interpreters."""

    def __init__(self) -> None:
        self._modules: dict[str, ModuleType] = {}

    def prepare(self, *names: str) -> None:
        """Import modules that have a `main`, by the names that `python -m` knows them by.

        One that cannot be imported is left out: its process will say why.
        """
        if sys.platform != "linux":
            return
        for name in names:
            with suppress(Exception):
                self._modules[name] = _imported(name)
        # What is here stays: a collection would write to every page that children share with us.
        gc.collect()
        gc.freeze()

    def start(self, module: str, arguments: Sequence[str], how: Spawn) -> Child:
        """Start `python -m module arguments`, forked if possible."""
        return self.fork(module, arguments, how) or spawn(
            [sys.executable, "-m", module, *arguments], how
        )

    def fork(self, module: str, arguments: Sequence[str], how: Spawn) -> Forked | None:
        """Fork the child; None when its module is not prepared, or a thread forbids it.

        Call it from the main thread, whose end the child is told of (see ops.child).
        """
        found = self._modules.get(module)
        if found is None or how.account or len(_numbers("task")) > 1:
            return None
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        parent = os.getpid()
        # Until it has handlers of its own, a signal to the child would be taken for one to us.
        former = signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                _live(found, ["python", "-m", module, *arguments], how, parent=parent)
            return Forked(pid)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, former)


def _imported(name: str) -> ModuleType:
    module = importlib.import_module(name)
    if hasattr(module, "__path__"):
        module = importlib.import_module(f"{name}.__main__")
    return module


def _numbers(kind: str) -> list[int]:
    return [int(entry.name) for entry in Path("/proc/self", kind).iterdir()]


def _live(module: ModuleType, command: list[str], how: Spawn, *, parent: int) -> NoReturn:
    """Run the module's `main` as an interpreter does; never come back to what the parent does."""
    code = 1
    try:
        setproctitle(" ".join(command))  # before the environment changes: it looks for it
        os.setsid()
        _forget_handlers()
        farewell(how.death_signal, parent)()
        _take_descriptors(how)
        environment = dict(how.environment)  # it may be that of this process
        os.environ.clear()
        os.environ.update(environment)
        if how.folder:
            os.chdir(how.folder)
        sys.argv = [str(module.__file__), *command[3:]]
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        sys.exit(module.main())
    except SystemExit as end:
        code = _code_of(end)
    except BaseException:  # noqa: BLE001 - the last one who could tell
        sys.excepthook(*sys.exc_info())
    finally:
        _leave(code)


def _forget_handlers() -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)


def _take_descriptors(how: Spawn) -> None:
    """Take what `how` gives; all others lead nowhere.

    They are not closed: objects of our parent still have their numbers, and would close what gets
    the same number after them.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    source, target = _number(how.input, nowhere), _number(how.output, nowhere)
    errors = target if how.errors == subprocess.STDOUT else _number(how.errors, nowhere)
    os.dup2(source, 0)
    os.dup2(target, 1)
    os.dup2(errors, 2)
    for number in _numbers("fd"):
        if number >= _STANDARD and number not in {*how.descriptors, nowhere}:
            os.dup2(nowhere, number, inheritable=False)
    # Lines to a pipe would come late, or never after a kill.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(line_buffering=True)


def _number(file: int | IO[bytes], nowhere: int) -> int:
    if file == subprocess.DEVNULL:
        return nowhere
    return file if isinstance(file, int) else file.fileno()


def _code_of(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return (end.code or 0) & 0xFF
    sys.stderr.write(f"{end.code}\n")
    return 1


def _leave(code: int) -> NoReturn:
    """End as an interpreter does: threads, exit handlers, what is not written yet."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - as multiprocessing does
        atexit._run_exitfuncs()  # noqa: SLF001
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
