"""What is drawn of a minute of samples: rates, ratios, quantiles, gauges; None where unknown."""

import math
from collections.abc import Callable

from api.status.samples import Sample

# Takes a sample whose counts are those of the minute that ends with it.
Measure = Callable[[Sample], float | None]

_SECONDS = {"per second": 1.0, "per minute": 60.0}


def rate(name: str, unit: str, *, but: tuple[str, ...] = ()) -> Measure:
    """Measure how often something happened; a name without a label is all its labels but some."""

    def measure(minute: Sample) -> float | None:
        if not minute.span:
            return None
        return _counted(minute, name, but) / minute.span * _SECONDS[unit]

    return measure


def ratio(parts: tuple[str, ...], whole: tuple[str, ...], *, floor: float) -> Measure:
    """Measure which share of something it was; 0 below `floor` a minute, where one is chance."""

    def measure(minute: Sample) -> float | None:
        if not minute.span:
            return None
        among = sum(_counted(minute, part) for part in whole)
        if among / minute.span * 60 < floor:
            return 0.0
        return sum(_counted(minute, part) for part in parts) / among

    return measure


def quantile(share: float, name: str) -> Measure:
    """Measure a quantile of a histogram as Prometheus does, straight between two bounds."""

    def measure(minute: Sample) -> float | None:
        prefix = f"{name} "
        bounds = sorted(
            (float(key.removeprefix(prefix)), count)
            for key, count in minute.counts.items()
            if key.startswith(prefix)
        )
        if not bounds or bounds[-1][1] <= 0:
            return None
        rank = share * bounds[-1][1]
        lower, below = 0.0, 0.0
        for upper, count in bounds:
            if count >= rank:
                within = 1.0 if count == below else (rank - below) / (count - below)
                return lower if math.isinf(upper) else lower + (upper - lower) * within
            lower, below = upper, count
        return lower

    return measure


def gauge(name: str) -> Measure:
    """Measure how something stands."""
    return lambda minute: minute.gauges.get(name)


def all_of(name: str, *labels: str) -> Measure:
    """Measure the sum of a gauge over all queues, of the states that are named."""

    def measure(minute: Sample) -> float | None:
        found = [
            value
            for key, value in minute.gauges.items()
            if key.startswith(f"{name} ") and key.rpartition(" ")[2] in labels
        ]
        return sum(found) if found else None

    return measure


def highest(name: str) -> Measure:
    """Measure the highest of a gauge over all queues."""
    return lambda minute: max(
        (value for key, value in minute.gauges.items() if key.startswith(f"{name} ")), default=None
    )


def in_use(minute: Sample) -> float | None:
    """Measure the connections to PostgreSQL that work at the moment, of all processes."""
    opened, idle = (minute.gauges.get(f"connections {state}") for state in ("open", "idle"))
    return None if opened is None or idle is None else max(opened - idle, 0.0)


def since_verified(minute: Sample) -> float | None:
    """Measure the seconds since the ledger was verified, or since that was first due."""
    times = [minute.gauges.get(name, 0.0) for name in ("verified_at", "verified_by_clock_at")]
    return max(minute.at - max(times), 0.0) if any(times) else None


def guesses(minute: Sample) -> float | None:
    """Measure failed sign-ins a minute, 0 unless there are three for each that succeeds."""
    failed, passed = (
        rate(f"sign_ins {result}", "per minute")(minute) for result in ("failure", "success")
    )
    if failed is None or passed is None:
        return None
    return failed if failed > 3 * passed else 0.0


def _counted(minute: Sample, name: str, but: tuple[str, ...] = ()) -> float:
    """Return how often it was counted; a series that nobody has counted was so 0 times."""
    if name in minute.counts:
        return minute.counts[name]
    prefix = f"{name} "
    return sum(
        count
        for key, count in minute.counts.items()
        if key.startswith(prefix) and key.removeprefix(prefix) not in but
    )
