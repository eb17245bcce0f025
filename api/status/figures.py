"""Figures: the catalogue's lines with their values, and how grave each is."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.status.catalogue import GROUPS
from api.status.plans import GRAVITY, Plan, Verdict
from api.status.samples import Point, Sample

_DECIMALS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The values of one line, a value a point in time."""

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


def point_of(minute: Sample) -> Point:
    """Return what is drawn of the minute that ended just now; what nobody knows is left out.

    It is measured once and kept: two hundred minutes at every look would take too long.
    """
    values = {}
    for plan in (plan for plans in GROUPS.values() for plan in plans):
        measures = {_key(plan, label): measure for label, measure in plan.lines.items()}
        if plan.limit and plan.limit.watched:
            measures[plan.name] = plan.limit.watched
        for key, measure in measures.items():
            value = measure(minute)
            if value is not None:
                values[key] = round(value, _DECIMALS)
    return Point(at=minute.at, values=values)


def drawn(points: Sequence[Point]) -> dict[str, list[Figure]]:
    """Return every figure by group, its lines as long as there are points."""
    return {group: [_figure(plan, points) for plan in plans] for group, plans in GROUPS.items()}


def gravest(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the gravest of some verdicts; unknown if there is none."""
    return max(verdicts, key=GRAVITY.index, default=Verdict.UNKNOWN)


def _figure(plan: Plan, points: Sequence[Point]) -> Figure:
    lines = []
    for label in plan.lines:
        key = _key(plan, label)
        lines.append(Line(label=label, values=[point.values.get(key) for point in points]))
    watched = lines[0].now
    if plan.limit and plan.limit.watched and points:
        watched = points[-1].values.get(plan.name)
    verdict = plan.limit.verdict(watched) if plan.limit else Verdict.OK
    return Figure(plan=plan, lines=lines, verdict=verdict, watched=watched)


def _key(plan: Plan, label: str) -> str:
    return f"{plan.name} {label}"
