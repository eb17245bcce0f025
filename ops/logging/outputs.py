"""Where finished lines go: the output of the process, and rotated files where there is a folder."""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, TextIO

from ops.logging.files import Files
from ops.logging.render import fit_to_leave

# Makes the finished line of masked facts (`ops/logging/render.py`).
LineOf = Callable[[Mapping[str, Any]], str]


class Outputs:
    """Makes the one writer that every logger of the process shares."""

    def __init__(
        self, output: TextIO, files: Files | None, *, process: str, level: int, line_of: LineOf
    ) -> None:
        self.process = process
        self.level = level
        self.line_of = line_of
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
        return (self.line_of(fit_to_leave(event)),), where

    def close(self) -> None:
        """Close the files; whoever still holds the writer opens them again."""
        if self._files:
            self._files.close()


class Writer:
    """Writes finished lines; the output is flushed because a killed process must not keep them."""

    def __init__(self, output: TextIO, files: Files | None) -> None:
        self._output = output
        self._files = files

    def write(self, line: str, *, category: str, level: str) -> None:
        """Write a line; nobody is told when that is not possible."""
        try:
            self._output.write(line + "\n")
            self._output.flush()
        except (OSError, ValueError):  # whoever read our output is gone; work goes on
            pass
        if self._files:
            self._files.write(line, category=category, level=level)

    debug = info = warning = error = critical = exception = log = msg = write
