"""Signals as bytes in a pipe that a selector waits on: none is lost, none interrupts."""

import os
import selectors
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

_WATCHED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


class Signals:
    """The signals of the main thread, from `open` to `close`; both may be called twice."""

    def __init__(self) -> None:
        self._pipe: tuple[int, int] | None = None
        self._former_wakeup = -1
        self._former: dict[signal.Signals, Any] = {}
        self._ends_with_terminal = False

    def open(self, selector: selectors.BaseSelector) -> None:
        """Take the signals over; SIGCHLD too, which wakes the selector when a child ends."""
        if self._pipe:
            return
        # Under nohup the loss of the terminal is expected, and no reason to stop.
        nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        self._ends_with_terminal = _has_terminal() and not nohup
        reader, writer = self._pipe = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        self._former = {number: signal.signal(number, _ignore) for number in _WATCHED}
        self._former_wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        selector.register(reader, selectors.EVENT_READ)

    def taken(self) -> Sequence[int]:
        """Return the signals that came since the last call, in their order."""
        if self._pipe is None:
            return b""
        with suppress(BlockingIOError):
            return os.read(self._pipe[0], 4096)
        return b""

    def lost_the_terminal(self) -> bool:
        """Tell whether a SIGHUP means that the terminal we were started from was closed."""
        return self._ends_with_terminal and not _has_terminal()

    def close(self, selector: selectors.BaseSelector) -> None:
        """Give the signals back to who had them."""
        if self._pipe is None:
            return
        reader, writer = self._pipe
        signal.set_wakeup_fd(self._former_wakeup)
        for number, former in self._former.items():
            signal.signal(number, former)
        selector.unregister(reader)
        os.close(reader)
        os.close(writer)
        self._pipe = None


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the byte in the pipe is the message."""


def _has_terminal() -> bool:
    try:
        with Path("/dev/tty").open("rb", buffering=0):
            return True
    except OSError:
        return False
