"""Logs: one line an event, with request and job ids, and nothing in it that must not leave.

JSON in production, readable text in development; four categories (access, security, application,
error) that can also be written to rotated files. Secrets, tokens and addresses are masked where the
line is made, so that no code path can forget it.
"""

import logging
import sys
from collections.abc import Callable
from typing import Any, TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger

from ops.logging.files import Files
from ops.logging.render import json_line, text_line
from ops.settings import Environment, LogFormat, Settings

Logger = FilteringBoundLogger

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_STANDARD_MIN = {"asyncio": logging.WARNING, "dramatiq": logging.WARNING}

bind = structlog.contextvars.bind_contextvars
bound = structlog.contextvars.bound_contextvars


def get_logger(category: str = "application") -> Logger:
    """Return the logger of a category: application, access or security."""
    return cast(Logger, structlog.get_logger(category=category))


def set_up(settings: Settings, *, process: str, output: TextIO | None = None) -> None:
    """Configure every log of this process, those of libraries included.

    `process` names it in each line and in its files, such as `web.1`.
    """
    level = _LEVELS[settings.log_level]
    before = structlog.get_config()["logger_factory"]
    if isinstance(before, _Outputs):
        before.close()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
            _named(process),
            _renderer(settings),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Outputs(settings, process, output or sys.stdout),
        cache_logger_on_first_use=False,
    )
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    root.handlers[:] = [_Bridge()]
    root.setLevel(level)
    for name, minimum in _STANDARD_MIN.items():
        logging.getLogger(name).setLevel(max(minimum, level))


def _renderer(settings: Settings) -> Callable[..., Any]:
    wanted = settings.log_format
    if wanted is LogFormat.AUTO:
        in_development = settings.environment is Environment.DEVELOPMENT
        wanted = LogFormat.TEXT if in_development else LogFormat.JSON
    return text_line if wanted is LogFormat.TEXT else json_line


def _named(process: str) -> Callable[..., Any]:
    def add(_: object, __: str, event: dict[str, Any]) -> dict[str, Any]:
        event["process"] = process
        return event

    return add


class _Outputs:
    """Makes the one writer that every logger of the process shares."""

    def __init__(self, settings: Settings, process: str, output: TextIO) -> None:
        self._files = Files(settings.log_dir, process) if settings.log_dir else None
        self._writer = _Writer(output, self._files)

    def __call__(self, *_: object) -> "_Writer":
        return self._writer

    def close(self) -> None:
        """Close the files; whoever still holds the writer opens them again."""
        if self._files:
            self._files.close()


class _Writer:
    """Writes finished lines; the output is flushed because a killed process must not keep them."""

    def __init__(self, output: TextIO, files: Files | None) -> None:
        self._output = output
        self._files = files

    def _write(self, line: str, *, category: str, level: str) -> None:
        try:
            self._output.write(line + "\n")
            self._output.flush()
        except (OSError, ValueError):  # whoever read our output is gone; work goes on
            pass
        if self._files:
            self._files.write(line, category=category, level=level)

    debug = info = warning = error = critical = exception = log = msg = _write


class _Bridge(logging.Handler):
    """Hands the records of the standard library's logging to ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record under its level, the library's name as a field."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - a library's wrong format string must not cost the line
            message = str(record.msg)
        level = min(max(record.levelno // 10 * 10, 10), 40)
        get_logger().log(level, message, logger=record.name, exc_info=record.exc_info or None)
