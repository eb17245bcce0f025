"""From what processes count since they started to what happened in the whole house, and when.

A counter that fell back belongs to a process that was started anew: what it shows is what it has
counted since. One that was not there before counts from zero if its process is younger than the
look before, and from what it shows if it is older.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from api.status.exposition import COUNTERS

# Over how many seconds rates and ratios are taken.
WINDOW_SECONDS = 60.0

# Of these every process has its own share, and the house has them all.
_SUMMED = frozenset({"connections", "memory"})
# Measured by a clock process for the whole house; on every other process they stand as 0.
_CLOCKS = frozenset({"depth", "oldest", "outbox_pending", "outbox_oldest", "seal_lag", "unsealed"})

Values = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Every process as it was read last, by `name@host/pid`, at a Unix time."""

    at: float
    # What it measured; `up` is 0 where it did not answer, and the rest is then from before.
    processes: Mapping[str, Values]
    # Queues that a living worker serves.
    served: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What was found at a Unix time: counts of `span` seconds before (0: unknown), and gauges."""

    at: float
    span: float
    counts: Values
    gauges: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What is drawn of a Unix time: the value of each line that has one."""

    at: float
    values: Values


def snapshot_of(
    found: Mapping[str, Values | None],
    before: Snapshot | None,
    *,
    at: float,
    served: Iterable[str],
) -> Snapshot:
    """Return what was found now; `busy` is the share of a core that a process took."""
    earlier = before.processes if before else {}
    processes = {}
    for key, values in found.items():
        if values is None:
            processes[key] = {**earlier.get(key, {}), "up": 0.0}
            continue
        processes[key] = {**values, "up": 1.0}
        if before and at > before.at:
            grown = _grown(values, earlier.get(key), since=before.at)
            if "cpu" in grown:
                processes[key]["busy"] = grown["cpu"] / (at - before.at)
    return Snapshot(at=at, processes=processes, served=sorted(served))


def sample_of(now: Snapshot, before: Snapshot | None) -> Sample:
    """Return what happened between two looks, and how things stand."""
    counts: Counter[str] = Counter()
    for key, values in now.processes.items() if before else ():
        if before and values["up"]:
            counts.update(_grown(values, before.processes.get(key), since=before.at))
    span = max(now.at - before.at, 0.0) if before else 0.0
    return Sample(at=now.at, span=span, counts=dict(counts), gauges=_gauges(now))


def last_minute(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Return those samples, the oldest first, that make up the minute that ends with the last."""
    span, first = 0.0, len(samples)
    while first and span < WINDOW_SECONDS:
        first -= 1
        span += samples[first].span
    return samples[first:]


def together(samples: Sequence[Sample]) -> Sample:
    """Return the last sample with the counts and the span of all of them."""
    counts: Counter[str] = Counter()
    for sample in samples:
        counts.update(sample.counts)
    span = sum(sample.span for sample in samples)
    return Sample(at=samples[-1].at, span=span, counts=counts, gauges=samples[-1].gauges)


def _grown(values: Values, before: Values | None, *, since: float) -> dict[str, float]:
    """Return by how much the counters of one process have grown."""
    earlier: Values = before or {}
    if before is None or earlier.get("started_at") != values.get("started_at"):
        if values.get("started_at", 0.0) < since:
            return {}
        earlier = {}
    grown = {}
    for name, value in values.items():
        if _kind(name) in COUNTERS:
            was = earlier.get(name, 0.0)
            grown[name] = value - was if value >= was else value
    return grown


def _gauges(now: Snapshot) -> dict[str, float]:
    found: dict[str, float] = {}
    living = [values for values in now.processes.values() if values["up"]]
    for values in living:
        is_clock = any(_kind(name) == "depth" for name in values)
        for name, value in values.items():
            kind = _kind(name)
            if kind in COUNTERS or (kind in _CLOCKS and not is_clock):
                continue
            were = found.get(name)
            if were is None:
                found[name] = value
            else:
                found[name] = were + value if kind in _SUMMED else max(were, value)
    found["up"] = float(len(living))
    found["down"] = float(len(now.processes) - len(living))
    # Only who has verified the ledger can say that it is broken.
    found["broken"] = float(any(_found_broken(values) for values in living))
    return found


def _found_broken(values: Values) -> bool:
    return values.get("verified_at", 0.0) > 0 and values.get("chain_valid", 1.0) == 0


def _kind(name: str) -> str:
    return name.partition(" ")[0]
