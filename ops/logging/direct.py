"""A way past structlog for the lines that every request and every job pays for."""

import time
from collections.abc import Mapping
from typing import Any

from ops.logging.context import facts_bound
from ops.logging.levels import LEVELS
from ops.logging.library import structlog
from ops.logging.masks import masked, shown
from ops.logging.outputs import Outputs
from ops.logging.render import Frame
from ops.moments import in_microseconds


class Line:
    """A line that is written again and again: what never changes of it is rendered once.

    `fixed` are facts of our own making, such as a route: they are not looked through, and none has
    the name of another fact of the line.
    """

    def __init__(self, event: str, *, category: str, level: str, **fixed: str | int) -> None:
        self._event = event
        self._category = category
        self._level = level
        self._fixed = fixed
        # The outputs that the frame was made for: `set_up` may choose others.
        self._outputs: Outputs | None = None
        self._frame: Frame | None = None

    def write(self, moment: int, told: Mapping[str, Any], own: Mapping[str, Any]) -> None:
        """Write what happened at a moment (nanoseconds of the epoch), masked like every other line.

        `own` facts are of our own making, such as an id.
        """
        outputs = structlog.get_config()["logger_factory"]
        if outputs is not self._outputs:
            self._fit(outputs)
        if self._frame:
            line = self._frame(in_microseconds(moment), {**shown(told), **own})
            outputs.writer.write(line, category=self._category, level=self._level)

    def _fit(self, outputs: Any) -> None:
        self._outputs, self._frame = outputs, None
        if isinstance(outputs, Outputs) and LEVELS[self._level] >= outputs.level:
            head = {"level": self._level, "category": self._category, "process": outputs.process}
            self._frame = outputs.shape.frame({**head, "event": masked(self._event), **self._fixed})


def log_line(event: str, *, category: str, level: str, **facts: Any) -> None:
    """Write a line once, rendered like every other one for a fraction of their price."""
    line = Line(event, category=category, level=level)
    line.write(time.time_ns(), {**facts_bound(), **facts}, {})
