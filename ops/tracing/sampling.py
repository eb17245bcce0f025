"""Which requests are traced: decided once, where a trace begins; its jobs follow it."""

import random
from dataclasses import dataclass

from ops.settings import TraceSampler
from ops.tracing.parents import Parent

_ASKS_PARENT = {TraceSampler.PARENT_ON, TraceSampler.PARENT_OFF, TraceSampler.PARENT_RATIO}
_BY_SHARE = {TraceSampler.RATIO, TraceSampler.PARENT_RATIO}
_FIXED = {
    TraceSampler.ALWAYS_ON: 1.0,
    TraceSampler.ALWAYS_OFF: 0.0,
    TraceSampler.PARENT_ON: 1.0,
    TraceSampler.PARENT_OFF: 0.0,
}


@dataclass(frozen=True, slots=True)
class Sampling:
    """The operator's choice.

    The coin is ours and not, as in OpenTelemetry's library, made of the trace's id: callers choose
    that, and could have every request of theirs traced.
    """

    how: TraceSampler
    share: float

    def takes(self, parent: Parent | None) -> bool:
        """Decide about a new trace, or one that a caller began."""
        if parent and self.how in _ASKS_PARENT:
            return parent.sampled
        share = self.share if self.how in _BY_SHARE else _FIXED[self.how]
        return random.random() < share  # noqa: S311 - no secret
