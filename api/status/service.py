"""Rules of the status page: who measures, what is remembered, how well the house is."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from api.status.collector import collect
from api.status.figures import Figure, drawn, gravest
from api.status.findings import Finding, Name, away_finding, findings_of
from api.status.plans import Verdict
from api.status.samples import Sample, Snapshot, sample_of, snapshot_of
from storage.processes import alive
from storage.redis import Redis, RedisAway
from storage.status import HISTORY_SECONDS, Kept, keep, look


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessState:
    """One process; figures are None where it has not told them."""

    name: str
    host: str
    up: bool
    memory: float | None
    # Share of a core, between the last two looks.
    cpu: float | None
    loop_lag: float | None
    started_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How the house is, as it was measured last."""

    verdict: Verdict
    # None before anything was measured.
    measured_at: datetime | None
    age: float | None
    redis: str
    findings: Sequence[Finding]
    groups: Mapping[str, Sequence[Figure]]
    # When the values of the lines were measured, the oldest first.
    times: Sequence[datetime]
    processes: Sequence[ProcessState]


@dataclass(frozen=True, slots=True, kw_only=True)
class _History:
    """What is known, and the moment it was asked for, by Redis' clock and by ours."""

    snapshot: Snapshot | None
    samples: Sequence[Sample]
    now: float
    read_at: float


class StatusService:
    """Tells how the house is; measures when it is this process' turn."""

    def __init__(self, *, redis: Redis) -> None:
        self._redis = redis
        # What is shown while Redis is away; as long as its history, so bounded.
        self._known = _History(snapshot=None, samples=(), now=time.time(), read_at=time.monotonic())

    async def now(self) -> Status:
        """Return how the house is, from at most five seconds ago while Redis answers."""
        redis = "ok"
        try:
            self._known = await self._looked()
        except RedisAway:
            redis = "away"
        # Two hundred samples take some milliseconds, which others shall not wait for.
        return await asyncio.to_thread(_status, self._known, redis)

    async def _looked(self) -> _History:
        read_at = time.monotonic()
        kept = await look(self._redis)
        snapshot = Snapshot(**kept.snapshot) if kept.snapshot else None
        samples = [Sample(**sample) for sample in kept.samples]
        if kept.is_our_turn:
            before, snapshot = snapshot, await self._measured(kept, snapshot)
            samples.append(sample_of(snapshot, before))
            await keep(self._redis, snapshot=snapshot, sample=samples[-1])
        recent = [sample for sample in samples if sample.at > kept.now - HISTORY_SECONDS]
        return _History(snapshot=snapshot, samples=recent, now=kept.now, read_at=read_at)

    async def _measured(self, kept: Kept, before: Snapshot | None) -> Snapshot:
        served = {queue for process in await alive(self._redis) for queue in process.queues}
        found = await collect(await self._redis.targets())
        return snapshot_of(found, before, at=kept.now, served=served)


def _status(known: _History, redis: str) -> Status:
    groups = drawn(known.samples)
    findings = [away_finding()] if redis == "away" else []
    age, snapshot = None, known.snapshot
    if snapshot and known.samples:
        findings += findings_of(snapshot, known.samples[-1], groups)
        age = max(known.now - snapshot.at + time.monotonic() - known.read_at, 0.0)
    grave = gravest([finding.verdict for finding in findings])
    well = Verdict.OK if snapshot else Verdict.UNKNOWN
    return Status(
        verdict=gravest([well, grave]),
        measured_at=_time(snapshot.at) if snapshot else None,
        age=age,
        redis=redis,
        findings=findings,
        groups=groups,
        times=[_time(sample.at) for sample in known.samples],
        processes=[_state(key, values) for key, values in sorted(snapshot.processes.items())]
        if snapshot
        else [],
    )


def _state(key: str, values: Mapping[str, float]) -> ProcessState:
    process, started = Name.of(key), values.get("started_at")
    return ProcessState(
        name=process.name,
        host=process.host,
        up=bool(values["up"]),
        memory=values.get("memory"),
        cpu=values.get("busy"),
        loop_lag=values.get("loop_lag"),
        started_at=_time(started) if started else None,
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
