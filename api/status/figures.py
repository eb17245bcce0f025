"""Figures: the catalogue's lines with their values, and how grave each is."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.status.catalogue import GROUPS
from api.status.plans import GRAVITY, Plan, Verdict
from api.status.samples import Sample, windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The values of one line, a value a sample."""

    label: str
    values: Sequence[float | None]

    @property
    def now(self) -> float | None:
        """The newest value."""
        return self.values[-1] if self.values else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A chart with its values."""

    plan: Plan
    lines: Sequence[Line]
    verdict: Verdict
    # What the limit looks at.
    watched: float | None


def drawn(samples: Sequence[Sample]) -> dict[str, list[Figure]]:
    """Return every figure by group, its lines as long as there are samples."""
    minutes = windows(samples)
    return {group: [_figure(plan, minutes) for plan in plans] for group, plans in GROUPS.items()}


def gravest(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the gravest of some verdicts; unknown if there is none."""
    return max(verdicts, key=GRAVITY.index, default=Verdict.UNKNOWN)


def _figure(plan: Plan, minutes: Sequence[Sample]) -> Figure:
    lines = [
        Line(label=label, values=[measure(minute) for minute in minutes])
        for label, measure in plan.lines.items()
    ]
    watched = _watched(plan, lines, minutes)
    verdict = plan.limit.verdict(watched) if plan.limit else Verdict.OK
    return Figure(plan=plan, lines=lines, verdict=verdict, watched=watched)


def _watched(plan: Plan, lines: Sequence[Line], minutes: Sequence[Sample]) -> float | None:
    if plan.limit and plan.limit.watched and minutes:
        return plan.limit.watched(minutes[-1])
    return lines[0].now
