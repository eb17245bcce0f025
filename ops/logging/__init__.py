"""Logs: one line an event, with request and job ids, and nothing in it that must not leave.

JSON in production, readable text in development; four categories (access, security, application,
error) that can also be written to rotated files. Secrets, tokens and addresses are masked where the
line is made, so that no code path can forget it.
"""

import logging
import sys
from collections.abc import Callable
from typing import Any, TextIO, cast

from ops.logging.context import bind, bound, facts_bound, merge, unbind
from ops.logging.direct import Line, log_line
from ops.logging.files import Files
from ops.logging.levels import LEVELS
from ops.logging.library import FilteringBoundLogger, structlog
from ops.logging.outputs import Outputs
from ops.logging.render import JsonShape, Shape, TextShape
from ops.settings import Environment, LogFormat, Settings

__all__ = [
    "Line",
    "Logger",
    "bind",
    "bound",
    "facts_bound",
    "get_logger",
    "log_line",
    "set_up",
    "show_events_to",
    "unbind",
]

Logger = FilteringBoundLogger

_STANDARD_MIN = {"asyncio": logging.WARNING, "dramatiq": logging.WARNING}


def get_logger(category: str = "application") -> Logger:
    """Return the logger of a category: application, access or security.

    What is an error is of the category error, whoever writes it.
    """
    return cast(Logger, structlog.get_logger(category=category))


def set_up(settings: Settings, *, process: str, output: TextIO | None = None) -> None:
    """Configure every log of this process, those of libraries included.

    `process` names it in each line and in its files, such as `web.1`.
    """
    level = LEVELS[settings.log_level]
    before = structlog.get_config()["logger_factory"]
    if isinstance(before, Outputs):
        before.close()
    files = Files(settings.log_dir, process) if settings.log_dir else None
    outputs = Outputs(
        output or sys.stdout, files, process=process, level=level, shape=_shape_of(settings)
    )
    structlog.configure(
        processors=[
            merge,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
            _of_process(process),
            outputs.render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=outputs,
        cache_logger_on_first_use=False,
    )
    _bridge(level)


def show_events_to(look: Callable[..., Any]) -> None:
    """Show every event to `look` too (a structlog processor), its exception still being one."""
    processors = list(structlog.get_config()["processors"])
    processors.insert(processors.index(structlog.processors.format_exc_info), look)
    structlog.configure(processors=processors)


def _shape_of(settings: Settings) -> Shape:
    wanted = settings.log_format
    if wanted is LogFormat.AUTO:
        in_development = settings.environment is Environment.DEVELOPMENT
        wanted = LogFormat.TEXT if in_development else LogFormat.JSON
    return TextShape() if wanted is LogFormat.TEXT else JsonShape()


def _of_process(process: str) -> Callable[..., Any]:
    def add(_: object, __: str, event: dict[str, Any]) -> dict[str, Any]:
        event["process"] = process
        if event["level"] in {"error", "critical"} and event["category"] == "application":
            event["category"] = "error"
        return event

    return add


def _bridge(level: int) -> None:
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    root.handlers[:] = [_Bridge()]
    root.setLevel(level)
    for name, minimum in _STANDARD_MIN.items():
        logging.getLogger(name).setLevel(max(minimum, level))


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
