"""Rotated log files: all events in one, errors, access and security events once more apart."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

_BYTES = 10 * 1024 * 1024
_KEPT = 5


class Files:
    """The log files of one process; named after it, since two processes cannot rotate one file."""

    def __init__(self, folder: str, process: str) -> None:
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._process = process
        self._handlers: dict[str, RotatingFileHandler] = {}

    def write(self, line: str, *, category: str, level: str) -> None:
        """Append the finished line to every file it belongs to."""
        names = {"combined"}
        if category in {"access", "security"}:
            names.add(category)
        if level in {"error", "critical"}:
            names.add("error")
        record = logging.LogRecord("", 0, "", 0, line, None, None)
        for name in names:
            self._handler(name).emit(record)

    def close(self) -> None:
        """Close every file."""
        while self._handlers:
            self._handlers.popitem()[1].close()

    def _handler(self, name: str) -> RotatingFileHandler:
        if name not in self._handlers:
            self._handlers[name] = RotatingFileHandler(
                self._folder / f"{self._process}.{name}.log",
                maxBytes=_BYTES,
                backupCount=_KEPT,
                encoding="utf-8",
            )
        return self._handlers[name]
