"""What a storm was like, in figures: a table for people, printed and kept by whoever wants it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.chaos.storm.accidents import Accident
from tests.chaos.storm.found import Found
from tests.chaos.storm.judge import Letters
from tests.chaos.storm.ledger import Ledger


@dataclass(slots=True)
class Report:
    """The figures of all rounds so far."""

    rounds: int = 0
    losses: int = 0
    raged: list[float] = field(default_factory=list)
    drained: list[float] = field(default_factory=list)

    def lines(
        self, ledger: Ledger, found: Found, letters: Letters, accidents: Sequence[Accident]
    ) -> list[str]:
        """Return the table as Markdown."""
        counts = ledger.counts()
        ids = [str(letter["Message-ID"]) for _, letter in letters]
        again = _redelivery(found, accidents)
        rows = {
            "rounds": str(self.rounds),
            "accidents of a round, s": _span(self.raged),
            **_by_component(accidents),
            "deeds asked for": str(counts["deeds"]),
            "of them acknowledged": str(counts["acknowledged"]),
            "asked for more than once": str(counts["retried"]),
            "of unknown ending": str(counts["unknown"]),
            "audit events": str(sum(len(events) for events in found.events.values())),
            "promises": str(len(found.promises)),
            "lost or doubled (writes, events, promises, letters)": str(self.losses),
            "letters": str(len(set(ids))),
            "second copies of letters": str(len(ids) - len(set(ids))),
            "queues empty after a round, s": _span(self.drained),
            "promise to letter, s": _span(_delays(found, letters)),
            "kill of a letter's worker to its letter, s": _span(again),
            "accident to first success, s": _span(_recoveries(ledger, accidents)),
        }
        return ["| figure | value |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows.items())]


def _by_component(accidents: Sequence[Accident]) -> dict[str, str]:
    kills = Counter(one.whom for one in accidents if one.is_kill)
    others = Counter(f"{one.whom} {one.what}" for one in accidents if not one.is_kill)
    named = ", ".join(f"{name} {count}" for name, count in sorted(kills.items()))
    rest = ", ".join(f"{name} {count}" for name, count in sorted(others.items()))
    return {"kills": f"{kills.total()} ({named})", "other accidents": f"{others.total()} ({rest})"}


def _delays(found: Found, letters: Letters) -> list[float]:
    """Return how long each letter took from its promise to its first copy."""
    first: dict[str, float] = {}
    for at, letter in letters:
        first.setdefault(str(letter["Message-ID"]).strip("<>").partition("@")[0], at)
    promised = {str(one["id"]): one["promised"] - found.ahead for one in found.promises}
    return [at - promised[one] for one, at in first.items() if one in promised]


def _redelivery(found: Found, accidents: Sequence[Accident]) -> list[float]:
    """Return how long it took from a worker's kill until what it held was done by another one."""
    kills = sorted(one.began for one in accidents if one.is_kill and one.whom == "worker")
    taken = []
    for promise in found.promises:
        if promise["crashes"] and promise["finished"]:
            since, until = (promise[name] - found.ahead for name in ("promised", "finished"))
            hits = [kill for kill in kills if since <= kill <= until]
            taken += [until - hits[0]] if hits else []
    return taken


def _recoveries(ledger: Ledger, accidents: Sequence[Accident]) -> list[float]:
    """Return how long after each accident began the first request begun since then succeeded."""
    successes = sorted(ledger.successes)
    taken = []
    for one in accidents:
        ends = [ended for began, ended in successes if one.began <= began < one.began + 60]
        taken += [min(ends) - one.began] if ends else []
    return taken


def _span(values: Sequence[float]) -> str:
    if not values:
        return "-"
    ordered = sorted(values)
    p50, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * part))] for part in (0.5, 0.99))
    return f"p50 {p50:.2f}, p99 {p99:.2f}, max {ordered[-1]:.2f} (of {len(ordered)})"
