"""The row of everybody else while many sign in."""

import asyncio
import statistics
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.bench import loading, plots
from tests.bench.arena import Arena
from tests.bench.asked import Answered, Load
from tests.bench.contenders.contender import Contender
from tests.bench.figures import Goal, Measured, Turn, ratio
from tests.bench.page import PAGE
from tests.bench.section import OURS, PEERS, about, goal_lines, verdict
from tests.bench.speed import fast

_AT_ONCE = 8
_STORM = 32
_CALM_SECONDS, _STORM_SECONDS = 2.0, 5.0
# The storm blows already when we begin to look.
_AHEAD = 1.5
OPERATION = "p99 of a GET while 32 sign in"
_NOTE = (
    "Refused: who is told at once to come again, 503 with `Retry-After`, because as many as can be"
    " hashed soon are waiting already. Those who ask here come again at once, which nobody is asked"
    " to do. A GET that was not answered by the end is not counted, which helps whoever is slow."
)


@dataclass(slots=True)
class _Storm:
    """Blows while somebody asks; keeps what came of those who signed in."""

    logins: dict[str, list[Answered]] = field(default_factory=dict)

    async def blow(self, contender: Contender, load: Load, seconds: float) -> Answered:
        """Have 32 clients sign in, and ask meanwhile."""
        logins = await contender.login()
        assert logins
        blowing = asyncio.create_task(
            loading.exactly(logins, at_once=_STORM, seconds=_AHEAD + seconds)
        )
        await asyncio.sleep(_AHEAD)
        answered = await loading.quickly(load, at_once=_AT_ONCE, seconds=seconds)
        self.logins.setdefault(contender.name, []).append(await blowing)
        if answered.requests:
            return answered
        # None came at all: it took at least as long as we waited.
        wait = seconds * 1000
        return Answered(requests=0, seconds=seconds, p50=wait, p99=wait, refused=0, broken=0)

    def told(self, name: str) -> str:
        """Return how many a second got in, and how many in all were refused."""
        seen = self.logins[name]
        rates = [(one.requests - one.refused) / one.seconds for one in seen]
        return f"{statistics.median(rates):,.1f}, {sum(one.refused for one in seen):,}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How GETs fared without a storm, in it, and who blew."""

    calm: Measured
    blown: Measured
    blowing: _Storm

    def p99(self) -> dict[str, float]:
        """Return the milliseconds within which 99 % were answered in the storm, by contender."""
        return {name: _p99(turns) for name, turns in self.blown.turns.items()}

    def told(self, operation: str, *, key: str, goals: Sequence[Goal] = ()) -> str:
        """Put its line into the summary; return table, picture and how quiet the machine was."""
        p99 = self.p99()
        cells = [f"{p99[name]:,.0f} ms" if name in p99 else "-" for name in (*PEERS, OURS)]
        counts = self.calm.quiet.enough and self.blown.quiet.enough
        PAGE.summarize(operation, [*cells, *verdict(goals, counts=counts)])
        drawn = plots.bars(operation, "milliseconds, less is better", p99, ours=OURS)
        calm, blown = self.calm.quiet.words(), self.blown.quiet.words()
        parts = [
            _table(self.calm, self.blown, self.blowing),
            goal_lines(goals),
            _NOTE,
            f"The machine: calm, {calm}; in the storm, {blown}.",
            f"![{operation}]({PAGE.picture(key, drawn)})",
        ]
        return "\n\n".join(part for part in parts if part)


async def storm(arena: Arena, chosen: Namespace) -> str:
    """Ask who one is while 32 clients sign in, and without them."""
    seen = await weather(arena, chosen.repeat)
    parameters = f"{chosen.repeat} rounds in turn, {_AT_ONCE} connections of GET"
    told = seen.told(OPERATION, key="storm", goals=_goals(seen.calm, seen.blown))
    return f"{about(arena, parameters)}\n\n{told}"


async def weather(arena: Arena, repeat: int) -> Weather:
    """Ask everybody in calm, then in the storm."""
    blowing = _Storm()
    calm = await arena.measured(
        lambda one: one.me(), fast(_AT_ONCE), seconds=_CALM_SECONDS, repeat=repeat
    )
    blown = await arena.measured(
        lambda one: one.me(), blowing.blow, seconds=_STORM_SECONDS, repeat=repeat
    )
    return Weather(calm=calm, blown=blown, blowing=blowing)


def _table(calm: Measured, blown: Measured, blowing: _Storm) -> str:
    head = (
        "| | p99 calm, ms | p99 in the storm | GETs a second calm | in the storm | kept |"
        " signed in a second, refused |"
    )
    rows = [head, "|---|---|---|---|---|---|---|"]
    for name, turns in blown.turns.items():
        cells = [
            f"{_p99(calm.turns[name]):,.1f}",
            f"{_p99(turns):,.1f}",
            f"{_rate(calm, name):,.0f}",
            f"{_rate(blown, name):,.0f}",
            f"{_kept(calm, blown, name):.0%}",
            blowing.told(name),
        ]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _goals(calm: Measured, blown: Measured) -> list[Goal]:
    ours = _p99(blown.turns[OURS])
    goals = [Goal(what="p99", value=ours, bound=10.0, unit="ms", at_most=True)]
    peers = [_p99(blown.turns[name]) for name in PEERS if name in blown.turns]
    if peers:
        goals.append(Goal(what="below the best peer", value=min(peers) / ours, bound=50))
    kept = _kept(calm, blown, OURS)
    return [*goals, Goal(what="of the calm throughput", value=kept, bound=0.75, unit="%")]


def _p99(turns: Sequence[Turn]) -> float:
    return statistics.median(turn.answered.p99 for turn in turns)


def _rate(measured: Measured, name: str) -> float:
    return statistics.median(turn.per_second for turn in measured.turns[name])


def _kept(calm: Measured, blown: Measured, name: str) -> float:
    after = [turn.per_second for turn in blown.turns[name]]
    return ratio(after, [turn.per_second for turn in calm.turns[name]])
