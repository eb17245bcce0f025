"""A way past structlog for the lines that every request and every job pays for."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from ops.logging.context import facts_bound
from ops.logging.levels import LEVELS
from ops.logging.library import structlog
from ops.logging.masks import shown
from ops.logging.outputs import Outputs

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def log_line(
    event: str, *, category: str, level: str, fixed: Mapping[str, Any] = _NOTHING, **facts: Any
) -> None:
    """Write a line, masked and rendered like every other one, for a fraction of their price.

    `fixed` are facts of our own making, such as a route: they are not looked through.
    """
    outputs = structlog.get_config()["logger_factory"]
    if not isinstance(outputs, Outputs) or LEVELS[level] < outputs.level:
        return
    line = {
        "time": _now(),
        "level": level,
        "category": category,
        "process": outputs.process,
        **shown({"event": event, **facts_bound(), **facts}),
        **fixed,
    }
    outputs.writer.write(outputs.line_of(line), category=category, level=level)


def _now() -> str:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{_second(seconds)}.{nanoseconds // 1000:06d}Z"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
