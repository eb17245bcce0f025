"""Where finished lines go: the output of the process, and rotated files where there is a folder."""

import asyncio
from collections.abc import MutableMapping
from contextlib import suppress
from threading import get_ident
from typing import Any, TextIO

from ops.logging.files import Files
from ops.logging.render import Shape, fit_to_leave

_URGENT = frozenset({"error", "critical"})
_ONE_PIECE = 4096  # PIPE_BUF (pipe(7))


class Outputs:
    """Makes the one writer that every logger of the process shares."""

    def __init__(
        self, output: TextIO, files: Files | None, *, process: str, level: int, shape: Shape
    ) -> None:
        self.process = process
        self.level = level
        self.shape = shape
        self.writer = Writer(output, files)
        self._files = files

    def __call__(self, *_: object) -> "Writer":
        """Return the writer, whoever asks (a structlog logger factory)."""
        return self.writer

    def render(
        self, _: object, __: str, event: MutableMapping[str, Any]
    ) -> tuple[tuple[str], dict[str, str]]:
        """Return what the writer is called with (the last of structlog's processors)."""
        where = {"category": str(event.get("category")), "level": str(event.get("level"))}
        return (self.shape.line(fit_to_leave(event)),), where

    def close(self) -> None:
        """Close the files; whoever still holds the writer opens them again."""
        if self._files:
            self._files.close()


class Writer:
    """Writes finished lines; none waits for the next one, since a killed process keeps nothing.

    On a loop the lines of one turn of it leave together, right after the turn: writing out costs
    more than making a line. What is an error leaves at once. Several processes may share the
    output: no more leaves at once than a pipe takes in one piece.
    """

    def __init__(self, output: TextIO, files: Files | None) -> None:
        self._output = output
        self._files = files
        # Where lines wait for the end of the turn, in which thread, and how many bytes of them.
        self._waiting_on: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._held = 0

    def write(self, line: str, *, category: str, level: str) -> None:
        """Write a line; nobody is told when that is not possible."""
        try:
            self._held += len(line) + 1
            if self._held > _ONE_PIECE:
                self._held = len(line) + 1
                self._output.flush()
            self._output.write(line + "\n")
            if level in _URGENT:
                self._output.flush()
            else:
                self._flush_soon()
        except (OSError, ValueError):  # whoever read our output is gone; work goes on
            pass
        if self._files:
            self._files.write(line, category=category, level=level)

    def _flush_soon(self) -> None:
        waiting = self._waiting_on
        if waiting and waiting.is_running() and self._thread == get_ident():
            return
        loop = asyncio._get_running_loop()  # noqa: SLF001 - public, but for its name: None is cheap
        if loop is None or waiting:
            # Another thread's lines go along with ours; a loop that was stopped flushes nothing.
            self._waiting_on = None
            self._output.flush()
        else:
            self._waiting_on, self._thread = loop, get_ident()
            loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._waiting_on, self._held = None, 0
        with suppress(OSError, ValueError):
            self._output.flush()

    debug = info = warning = error = critical = exception = log = msg = write
