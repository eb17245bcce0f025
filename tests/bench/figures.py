"""What was measured turn by turn, and what may be said of it: medians, ratios, and whether to."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.bench.asked import Answered

# Of the control: the longest time over the shortest one, for the same work.
_STEADY = 1.35
# Of the machine, what processes took that are neither measured nor measuring.
_ALONE = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn of one contender."""

    answered: Answered
    cpu: float

    @property
    def per_core(self) -> float:
        """Requests per CPU second of everything that served them."""
        return self.answered.requests / self.cpu if self.cpu else 0.0

    @property
    def per_second(self) -> float:
        """Requests per second of the clock."""
        return self.answered.requests / self.answered.seconds if self.answered.seconds else 0.0


@dataclass(slots=True)
class Quiet:
    """How quiet the machine was: a fixed piece of work each turn, and what others took."""

    controls: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)

    @property
    def spread(self) -> float:
        """The longest control over the shortest."""
        return max(self.controls) / min(self.controls) if self.controls else 1.0

    @property
    def taken(self) -> float:
        """The share of the machine that others took, at the median."""
        return statistics.median(self.others) if self.others else 0.0

    @property
    def enough(self) -> bool:
        """Whether the run counts."""
        return self.spread <= _STEADY and self.taken <= _ALONE

    def words(self) -> str:
        """Say so."""
        seen = (
            f"control spread x{self.spread:.2f} (bound x{_STEADY}), others took"
            f" {self.taken:.0%} of the machine (bound {_ALONE:.0%})"
        )
        return seen if self.enough else f"**too noisy: this run does not count**; {seen}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Turns by contender, as many of each, and how quiet it was."""

    turns: Mapping[str, Sequence[Turn]]
    quiet: Quiet

    def per_core(self, name: str) -> list[float]:
        """Return the core-s of each turn."""
        return [turn.per_core for turn in self.turns[name]]

    def ratio(self, name: str, other: str) -> float:
        """Return the median of the ratios of core-s, each of two neighbours."""
        return ratio(self.per_core(name), self.per_core(other))


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One thing that was promised: a figure and its bound, as a sentence has them."""

    what: str
    value: float
    bound: float
    unit: str = "x"
    at_most: bool = False

    @property
    def met(self) -> bool:
        """Whether it is so."""
        return self.value <= self.bound if self.at_most else self.value >= self.bound

    @property
    def promise(self) -> str:
        """The bound, as the goal has it."""
        return f"{'<=' if self.at_most else '>='} {self.told(self.bound)}"

    def told(self, value: float) -> str:
        """Write a figure in the unit of the goal."""
        if self.unit == "%":
            return f"{value:.0%}"
        number = f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"
        return f"{number}x" if self.unit == "x" else f"{number} {self.unit}"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of ratios of neighbours; 0 when nothing is there to compare with."""
    pairs = [(one, other) for one, other in zip(ours, theirs, strict=True) if other]
    return statistics.median(one / other for one, other in pairs) if pairs else 0.0


def spread(figures: Sequence[float], digits: int = 0) -> str:
    """Write a median with the least and the greatest."""
    middle, least, greatest = statistics.median(figures), min(figures), max(figures)
    return f"{middle:,.{digits}f} ({least:,.{digits}f} to {greatest:,.{digits}f})"
