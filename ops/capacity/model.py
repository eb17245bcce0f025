"""The sums: what a demand needs at its peak and keeps on disk, and which limit it meets first."""

import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ops.capacity.costs import (
    BUSY,
    CALLER_BYTES,
    COMMITS,
    COSTS,
    MAX_CONNECTIONS,
    MEGABYTES,
    REDIS_BYTES,
    RELAYED,
    SEALED,
    VERIFIED,
    VERIFY_SECONDS,
    Cost,
    Work,
)
from ops.capacity.demand import LETTER_MIX, REQUEST_MIX, Demand
from ops.capacity.tables import TableSize, tables
from ops.procfile import ProcessType
from ops.settings import Settings

# What of a cost is asked for.
Of = Callable[[Cost], float]

# What a mail server takes to accept a letter; a worker sends as many at once as it has threads.
_SMTP_SECONDS = 0.5
# Beside its threads' connections a worker has these; relay and clock have no others.
_SPARE_CONNECTIONS = 2
_MICROSECONDS = 1e6
# Of a web process, where there is no room for a whole one.
_A_SHARE = 0.01
_HOT = frozenset(
    {"users", "user_last_logins", "user_changes", "user_roles", "devices", "sessions", "outbox"}
)
_PARTS: Mapping[str, Of] = {
    "web": lambda cost: cost.web,
    "hash": lambda cost: cost.hash,
    "relay": lambda cost: cost.relay,
    "worker": lambda cost: cost.worker,
    "postgres": lambda cost: cost.postgres,
    "redis": lambda cost: cost.redis,
}
_MORE_CORES = "add cores; then move PostgreSQL to a machine of its own, then web processes"
_MORE_REDIS = "give Redis a machine of its own; it holds nothing that has to move with it"
_MORE_CONNECTIONS = "lower DB_POOL_SIZE, or raise max_connections (14 MB each)"
_FASTER_DISK = "a faster disk for PostgreSQL's write-ahead log, with a cache that survives"
_FEWER_MONTHS = "set AUDIT_RETENTION: the walk over all of it has an hour"
_ONE_SEALER = "nothing to add: events wait in audit_inbox and are sealed after the peak"
_MORE_RELAYS = "run two: ops up relay=2"


@dataclass(frozen=True, slots=True)
class Limit:
    """What there is only so much of; `share` of it is used at the peak."""

    name: str
    share: float
    cure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a demand needs."""

    # A second, at the peak.
    peak: Mapping[Work, float]
    # Busy cores at the peak, by part.
    cores: Mapping[str, float]
    # By line of the Procfile.
    processes: Mapping[str, int]
    hash_slots: int
    connections: int
    megabytes: float
    tables: Sequence[TableSize]
    redis_bytes: float
    wal_a_day: float
    # The nearest first.
    limits: Sequence[Limit]

    @property
    def cores_needed(self) -> int:
        """Cores for all parts together, so that at the peak no more than 60 % are busy."""
        return max(1, math.ceil(sum(self.cores.values()) / BUSY))

    @property
    def hot_bytes(self) -> float:
        """What is read all the time: PostgreSQL and the kernel should have it in memory."""
        return sum(table.bytes for table in self.tables if table.name in _HOT)


def plan(demand: Demand, settings: Settings, *, procfile: Sequence[ProcessType]) -> Plan:
    """Return what a demand needs under these settings, with the workers of this Procfile."""
    peak = demand.at_peak(settings)
    cores = {part: _busy(peak, of, demand) for part, of in _PARTS.items()}
    slots = max(1, math.ceil(cores["hash"] / BUSY))
    processes = _processes(peak, cores, demand, procfile)
    connections = sum(
        count * _connections(name, settings, procfile) for name, count in processes.items()
    )
    return Plan(
        peak=peak,
        cores=cores,
        processes=processes,
        hash_slots=slots,
        connections=connections,
        megabytes=_megabytes(processes, slots, connections),
        tables=tables(demand, settings),
        redis_bytes=REDIS_BYTES + CALLER_BYTES * demand.logins_per_day,
        wal_a_day=_wal_a_day(demand, settings),
        limits=sorted(
            [
                *_limits(peak, cores, demand),
                _connection_limit(cores, processes, connections, settings),
                _verification_limit(demand, settings),
            ],
            key=lambda limit: -limit.share,
        ),
    )


def _limits(peak: Mapping[Work, float], cores: Mapping[str, float], demand: Demand) -> list[Limit]:
    commits = _sum_of(peak, lambda cost: cost.commits)
    return [
        Limit("cores", sum(cores.values()) / BUSY / demand.machine_cores, _MORE_CORES),
        Limit("Redis, which uses one core", cores["redis"] / BUSY, _MORE_REDIS),
        Limit("commits to PostgreSQL's disk", commits / COMMITS, _FASTER_DISK),
        Limit("the audit sealer, of which one works", peak[Work.EVENT] / SEALED, _ONE_SEALER),
        Limit("a relay", peak[Work.LETTER] / RELAYED, _MORE_RELAYS),
    ]


def _connection_limit(
    cores: Mapping[str, float],
    processes: Mapping[str, int],
    connections: int,
    settings: Settings,
) -> Limit:
    """Return how many of the web processes that PostgreSQL has connections for are needed."""
    room = (MAX_CONNECTIONS - connections) / settings.db_pool_size
    web = max(processes["web"] + room, _A_SHARE)
    return Limit("connections of PostgreSQL", cores["web"] / BUSY / web, _MORE_CONNECTIONS)


def _verification_limit(demand: Demand, settings: Settings) -> Limit:
    [rows] = [t.rows for t in tables(demand, settings) if t.name == "audit_ledger"]
    most = VERIFIED * demand.core_speed * VERIFY_SECONDS
    return Limit("the daily verification of the audit trail", rows / most, _FEWER_MONTHS)


def _busy(peak: Mapping[Work, float], of: Of, demand: Demand) -> float:
    """Return how many cores of the demand's speed a part keeps busy."""
    return _sum_of(peak, of) / _MICROSECONDS / demand.core_speed


def _sum_of(often: Mapping[Work, float], of: Of) -> float:
    return sum(count * of(COSTS[work]) for work, count in often.items())


def _processes(
    peak: Mapping[Work, float],
    cores: Mapping[str, float],
    demand: Demand,
    procfile: Sequence[ProcessType],
) -> dict[str, int]:
    counts = {"web": _enough(cores["web"]), "relay": _enough(cores["relay"]), "clock": 1}
    found = {each.name: counts.get(each.name, 0) for each in procfile if each.name != "release"}
    for line in _worker_lines(procfile):
        found[line.name] = line.processes(peak, demand)
    return found


def _enough(cores: float) -> int:
    """Return how many processes of one core each stay responsive under such a load."""
    return max(1, math.ceil(cores / BUSY))


@dataclass(frozen=True, slots=True)
class _WorkerLine:
    name: str
    queues: frozenset[str]
    threads: int

    def processes(self, peak: Mapping[Work, float], demand: Demand) -> int:
        share = sum(LETTER_MIX.get(queue, 0) for queue in self.queues)
        letters = peak[Work.LETTER] * share
        events = peak[Work.EVENT] if "audit" in self.queues else 0
        jobs = {Work.LETTER: letters, Work.EVENT: events}
        sending = letters * _SMTP_SECONDS / self.threads
        return max(_enough(_busy(jobs, _PARTS["worker"], demand)), _enough(sending))


def _worker_lines(procfile: Sequence[ProcessType]) -> list[_WorkerLine]:
    """Return the lines that run `python -m workers --queues ... --threads N`."""
    lines = []
    for each in procfile:
        words = shlex.split(each.command)
        if "--queues" in words and "--threads" in words:
            first, last = words.index("--queues"), words.index("--threads")
            queues = frozenset(words[first + 1 : last])
            lines.append(_WorkerLine(each.name, queues, int(words[last + 1])))
    return lines


def _connections(name: str, settings: Settings, procfile: Sequence[ProcessType]) -> int:
    """Return how many connections to PostgreSQL one process of a line may have."""
    if name == "web":
        return settings.db_pool_size
    threads = {line.name: line.threads for line in _worker_lines(procfile)}
    return min(threads.get(name, 0) + _SPARE_CONNECTIONS, settings.db_pool_size)


def _megabytes(processes: Mapping[str, int], slots: int, connections: int) -> float:
    """Return the memory of all processes, without what PostgreSQL and the kernel keep of files."""
    resident = sum(MEGABYTES.get(name, MEGABYTES["worker"]) * n for name, n in processes.items())
    return resident + MEGABYTES["hash slot"] * slots + MEGABYTES["connection"] * connections


def _wal_a_day(demand: Demand, settings: Settings) -> float:
    requests = {work: demand.requests_a_day() * share for work, share in REQUEST_MIX.items()}
    return _sum_of(demand.a_day(settings) | requests, lambda cost: cost.log)
