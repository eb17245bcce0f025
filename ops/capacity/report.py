"""The page that `python -m ops capacity` prints."""

from collections.abc import Iterable, Iterator, Sequence

from ops.capacity.costs import BUSY, HASH, MAX_CONNECTIONS
from ops.capacity.demand import Demand
from ops.capacity.model import Limit, Plan
from ops.capacity.tables import SLACK

_PARTS = {
    "web": "web processes, one core each",
    "hash": "hashing of passwords",
    "relay": "relay",
    "worker": "workers",
    "postgres": "PostgreSQL",
    "redis": "Redis",
}
_UNITS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_TOLD = 4


def report(demand: Demand, plan: Plan) -> str:
    """Return what a demand needs, for a person to read."""
    sections = (
        ("Asked", _asked(demand)),
        (f"In a second of the peak, {demand.peak_factor:g} times the average", _peak(plan)),
        ("Cores busy at the peak", _cores(plan)),
        ("Processes", _processes(plan)),
        ("Memory and connections", _memory(plan)),
        (f"Disk, full grown, {SLACK:g} times what rows take", _disk(plan)),
        (f"On one machine of {demand.machine_cores} cores", _limits(plan.limits)),
    )
    return "\n\n".join("\n".join([title, *_aligned(rows)]) for title, rows in sections) + "\n"


def _asked(demand: Demand) -> Iterator[tuple[str, str]]:
    yield "users", f"{demand.users:,}"
    yield "sign-ins a day", f"{demand.logins_per_day:,}"
    yield "letters a day", f"{demand.letters_per_day:,}"
    yield "a hash takes", f"{HASH / 1000 / demand.core_speed:.0f} ms (--core-speed)"


def _peak(plan: Plan) -> Iterator[tuple[str, str]]:
    for work, count in plan.peak.items():
        yield work, f"{count:,.2f}"


def _cores(plan: Plan) -> Iterator[tuple[str, str]]:
    for part, text in _PARTS.items():
        yield text, f"{plan.cores[part]:.2f}"
    yield "cores for all of it", f"{plan.cores_needed} ({BUSY:.0%} busy at the peak)"


def _processes(plan: Plan) -> Iterator[tuple[str, str]]:
    names = {"web": "web (WEB_PROCESSES)"}
    for name, count in plan.processes.items():
        yield names.get(name, name), f"{count}"
    yield "hash slots (HASH_SLOTS)", f"{plan.hash_slots}"


def _memory(plan: Plan) -> Iterator[tuple[str, str]]:
    yield "processes and connections", _size(plan.megabytes * 1e6)
    yield "PostgreSQL's cache, to hold what is used", _size(plan.hot_bytes)
    yield "Redis", _size(plan.redis_bytes)
    yield "connections", f"{plan.connections} of {MAX_CONNECTIONS} (max_connections)"


def _disk(plan: Plan) -> Iterator[tuple[str, str]]:
    for table in plan.tables:
        yield table.name, f"{_size(table.bytes)}  {table.rows:,.0f} rows"
    yield "all tables", _size(sum(table.bytes for table in plan.tables))
    yield "write-ahead log a day, at most", _size(plan.wal_a_day)


def _limits(limits: Sequence[Limit]) -> Iterator[tuple[str, str]]:
    for limit in limits[:_TOLD]:
        holds = "used up" if limit.share > 1 else f"holds {1 / limit.share:,.1f} times as much"
        yield limit.name, holds
        yield f"  then {limit.cure}", ""


def _aligned(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, value in rows:
        yield f"  {name:50}{value}".rstrip()


def _size(count: float) -> str:
    unit, name = next((each for each in _UNITS if count >= each[0]), (1, "bytes"))
    return f"{count / unit:.1f} {name}"
