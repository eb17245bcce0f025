"""What a row says: a table and a picture for each operation, and its line of the summary."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench import plots, report
from tests.bench.arena import Arena
from tests.bench.contenders.contender import Contender
from tests.bench.figures import Goal, Measured, Turn, ratio, spread
from tests.bench.page import PAGE

OURS = "Ostiary"
PEERS = ("PocketBase", "Better Auth", "fastapi-users")
_NONE = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One operation as everybody did it; `key` names its picture."""

    key: str
    operation: str
    measured: Measured
    goals: Sequence[Goal] = ()
    note: str = ""


def times(measured: Measured, other: str, bound: float) -> list[Goal]:
    """Promise so many times the core-s of another; nothing of somebody who is not here."""
    if other not in measured.turns:
        return []
    return [Goal(what=other, value=measured.ratio(OURS, other), bound=bound)]


def share(measured: Measured, other: str, bound: float) -> list[Goal]:
    """Promise such a share of what the machine can do at most."""
    return [Goal(what=f"of {other}", value=measured.ratio(OURS, other), bound=bound, unit="%")]


def written(arena: Arena, parameters: str, compared: Sequence[Compared]) -> str:
    """Draw the pictures, put the lines into the summary; return the text of the section."""
    parts = [about(arena, parameters)]
    for one in compared:
        picture = _drawn(one)
        verdict = "" if one.measured.quiet.enough else " (too noisy)"
        parts += [f"### {one.operation}{verdict}", _table(one)]
        parts += [text for text in (goal_lines(one.goals), one.note) if text]
        parts += [f"The machine: {one.measured.quiet.words()}."]
        parts += [f"![{one.operation}]({picture})"]
        PAGE.summarize(one.operation, _line(one))
    return "\n\n".join(parts)


def about(arena: Arena, parameters: str) -> str:
    """Return who took part, in which versions, with which hashes, and how they were asked."""
    who = "; ".join(_introduced(one) for one in arena.contenders)
    missing = "".join(f"\n- {name} is missing: {why}" for name, why in arena.absent.items())
    return (
        report.about(f"{parameters}; load by {arena.loader}").rstrip("\n")
        + f"\n- {arena.users:,} people each; {who}{missing}"
    )


def _introduced(one: Contender) -> str:
    return f"{one.name} {one.version} ({one.hashing})"


def _table(one: Compared) -> str:
    head = (
        "| | core-s, median (least to most) | requests a second | p50, ms | p99, ms | Ostiary is |"
        " by the clock |"
    )
    rows = [head, "|---|---|---|---|---|---|---|"]
    for name, turns in one.measured.turns.items():
        rows.append(f"| {name} | {' | '.join([*_cells(turns), *_against(one.measured, name)])} |")
    return "\n".join(rows)


def _against(measured: Measured, name: str) -> list[str]:
    """Return how many times as much ours is, by CPU time and by the clock."""
    if name == OURS:
        return ["", ""]
    ours, theirs = ([turn.per_second for turn in measured.turns[who]] for who in (OURS, name))
    return [f"x{measured.ratio(OURS, name):,.2f}", f"x{ratio(ours, theirs):,.2f}"]


def _cells(turns: Sequence[Turn]) -> list[str]:
    per_core = [turn.per_core for turn in turns]
    return [
        spread(per_core, digits(per_core)),
        f"{statistics.median(turn.per_second for turn in turns):,.0f}",
        f"{statistics.median(turn.answered.p50 for turn in turns):,.1f}",
        f"{statistics.median(turn.answered.p99 for turn in turns):,.1f}",
    ]


def goal_lines(goals: Sequence[Goal]) -> str:
    """Return what was promised and what came of it, a line each."""
    return "\n".join(
        f"- {goal.told(goal.value)} {goal.what}, promised {goal.promise}:"
        f" {'met' if goal.met else '**not met**'}"
        for goal in goals
    )


def _drawn(one: Compared) -> str:
    medians = {
        name: statistics.median(turn.per_core for turn in turns)
        for name, turns in one.measured.turns.items()
    }
    text = plots.bars(one.operation, "requests per CPU second, more is better", medians, ours=OURS)
    return PAGE.picture(one.key, text)


def _line(one: Compared) -> list[str]:
    cells = [_median(one.measured, name) for name in (*PEERS, OURS)]
    return [*cells, *verdict(one.goals, counts=one.measured.quiet.enough)]


def verdict(goals: Sequence[Goal], *, counts: bool) -> list[str]:
    """Return the cells of the summary that judge: what was reached, what was promised, and so."""
    reached = "; ".join(f"{goal.told(goal.value)} {goal.what}" for goal in goals)
    promised = "; ".join(f"{goal.promise} {goal.what}" for goal in goals)
    met = "yes" if all(goal.met for goal in goals) else "**no**"
    return [reached or _NONE, promised or _NONE, (met if counts else "too noisy") if goals else ""]


def _median(measured: Measured, name: str) -> str:
    if name not in measured.turns:
        return _NONE
    per_core = measured.per_core(name)
    return f"{statistics.median(per_core):,.{digits(per_core)}f}"


def digits(figures: Sequence[float]) -> int:
    """Return how many decimals small figures need."""
    return 1 if statistics.median(figures) < 100 else 0
