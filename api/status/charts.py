"""Figures as lines of an SVG, in numbers for its attributes, and as words and tables beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from api.status.figures import Figure, Line
from api.status.plans import Limit
from api.status.wording import shown
from storage.status import HISTORY_SECONDS

WIDTH, HEIGHT = 300, 72
# Whatever is drawn keeps away from the edge, where half of its line would be cut.
_EDGE = 3
# Steps of a scale, in powers of ten.
_STEPS = (1, 2, 5, 10)
_PAUSE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """One line: its label, its value now, and the points of its unbroken pieces."""

    label: str
    now: str
    pieces: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A figure, ready for the page."""

    figure: Figure
    strokes: Sequence[Stroke]
    # What the upper edge stands for.
    top: str
    # How high the limits lie, by verdict, where they are on the scale.
    limits: Sequence[tuple[str, float]]
    # The same in a sentence.
    words: str
    # The same as a table: a time, and a value for each line.
    rows: Sequence[tuple[str, Sequence[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Where the points of all charts lie from left to right, and which of them end a minute."""

    places: Sequence[float]
    # Whether a pause follows, in which nobody looked: that is no line.
    pauses: Sequence[bool]
    # The newest first: a time of day, and which point was the last of its minute.
    minutes: Sequence[tuple[str, int]]

    @classmethod
    def of(cls, times: Sequence[datetime], now: datetime) -> "Timeline":
        """Lay out the last 15 minutes."""
        gaps = [(after - time).total_seconds() for time, after in pairwise(times)]
        last = {time.strftime("%H:%M"): index for index, time in enumerate(times)}
        return cls(
            places=[_x((now - time).total_seconds()) for time in times],
            pauses=[*(gap > _PAUSE_SECONDS for gap in gaps), True],
            minutes=list(reversed(last.items())),
        )


def chart_of(figure: Figure, timeline: Timeline) -> Chart:
    """Return how a figure is drawn and told."""
    plan = figure.plan
    bounds = _bounds(plan.limit)
    # The first limit is always in sight: how far it is tells more than how small values differ.
    top = _top(max([*_known(figure.lines), *(at for _, at in bounds[:1])], default=0.0))
    return Chart(
        figure=figure,
        strokes=[
            Stroke(
                label=line.label,
                now=shown(line.now, plan.unit),
                pieces=list(_pieces(line, timeline, top)),
            )
            for line in figure.lines
        ],
        top=shown(top, plan.unit),
        limits=[(name, _y(at, top)) for name, at in bounds if at <= top],
        words=_words(figure),
        rows=[
            (time, [shown(line.values[index], plan.unit) for line in figure.lines])
            for time, index in timeline.minutes
        ],
    )


def _bounds(limit: Limit | None) -> list[tuple[str, float]]:
    """Return where a limit lies, if the value that it looks at is a line of the chart."""
    if limit is None or limit.watched:
        return []
    return [("look", limit.look), *([("act", limit.act)] if limit.act else [])]


def _known(lines: Sequence[Line]) -> Iterator[float]:
    return (value for line in lines for value in line.values if value is not None)


def _top(highest: float) -> float:
    """Return the end of a scale: 1, 2 or 5 times a power of ten."""
    if highest <= 0:
        return 1.0
    power = 10.0 ** (len(f"{highest:.0f}") - 1) if highest >= 1 else 1.0
    while highest < power:
        power /= 10
    return next(power * step for step in _STEPS if highest <= power * step)


def _x(seconds_ago: float) -> float:
    share = 1 - min(max(seconds_ago / HISTORY_SECONDS, 0), 1)
    return round(_EDGE + share * (WIDTH - 2 * _EDGE), 1)


def _y(value: float, top: float) -> float:
    return round(HEIGHT - _EDGE - value / top * (HEIGHT - 2 * _EDGE), 1)


def _pieces(line: Line, timeline: Timeline, top: float) -> Iterator[str]:
    """Give the points of each unbroken piece; one value alone becomes a short dash."""
    piece: list[str] = []
    bottom, height = HEIGHT - _EDGE, (HEIGHT - 2 * _EDGE) / top
    for place, value, pause in zip(timeline.places, line.values, timeline.pauses, strict=True):
        if value is not None:
            piece.append(f"{place},{bottom - value * height:.1f}")
        if (value is None or pause) and piece:
            yield _dash(piece)
            piece = []


def _dash(piece: list[str]) -> str:
    if len(piece) > 1:
        return " ".join(piece)
    x, _, y = piece[0].partition(",")
    return f"{max(float(x) - 2, 0):.1f},{y} {x},{y}"


def _words(figure: Figure) -> str:
    """Return what somebody sees at a glance: now, least and most, line by line."""
    unit, told = figure.plan.unit, []
    for line in figure.lines:
        known = [value for value in line.values if value is not None]
        if not known:
            told.append(f"{line.label}: no values yet")
            continue
        least, most = shown(min(known), unit), shown(max(known), unit)
        told.append(f"{line.label}: {shown(line.now, unit)} now, {least} to {most}")
    return f"{figure.plan.title}, last 15 minutes. {'; '.join(told)}."
