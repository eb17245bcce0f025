"""Rules of the status page: who measures, what is remembered, how well the house is."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from api.status.collector import collect
from api.status.figures import Figure, drawn, gravest, point_of
from api.status.findings import (
    Finding,
    Name,
    away_finding,
    by_gravity,
    findings_of,
    stale_finding,
)
from api.status.plans import Verdict
from api.status.samples import (
    Point,
    Sample,
    Snapshot,
    last_minute,
    sample_of,
    snapshot_of,
    together,
)
from ops.logging import get_logger
from storage.processes import alive
from storage.redis import Redis, RedisAway
from storage.status import HISTORY_SECONDS, Kept, keep, look

# What another release keeps in another form is passed over.
_POINT = {"at", "values"}
_DECIMALS = 4
_LOOKS = 2
# Several turns after which nobody can have measured.
_STALE_SECONDS = 30.0

_log = get_logger()


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
    # When the times end: by Redis' clock, as they are.
    now: datetime
    redis: str
    findings: Sequence[Finding]
    groups: Mapping[str, Sequence[Figure]]
    # When the values of the lines were measured, the oldest first.
    times: Sequence[datetime]
    processes: Sequence[ProcessState]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Latest:
    """What the next look goes on from: processes, and the samples of the last minute."""

    snapshot: Snapshot
    minute: Sequence[Sample]

    @classmethod
    def of(cls, kept: Any) -> "_Latest | None":
        """Read it as it was kept; None for what another release kept in another form."""
        try:
            minute = [Sample(**sample) for sample in kept["minute"]]
            return cls(snapshot=Snapshot(**kept["snapshot"]), minute=minute) if minute else None
        except (TypeError, KeyError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _History:
    """What is known, and the moment it was asked for, by Redis' clock and by ours."""

    latest: _Latest | None
    points: Sequence[Point]
    now: float
    read_at: float
    # It was our turn to measure, and we could not.
    failed: bool = False

    @property
    def moment(self) -> float:
        """The moment it is now, by Redis' clock."""
        return self.now + time.monotonic() - self.read_at


class StatusService:
    """Tells how the house is; measures when it is this process' turn."""

    def __init__(self, *, redis: Redis) -> None:
        self._redis = redis
        # What is shown while Redis is away; as long as its history, so bounded.
        self._known = _History(latest=None, points=(), now=time.time(), read_at=time.monotonic())

    async def now(self) -> Status:
        """Return how the house is, from at most five seconds ago while Redis answers."""
        redis = await self._newest()
        return _status(self._known, redis)

    async def _newest(self) -> str:
        """Look, and say whether Redis answered: twice, since on a busy machine an answer is late.

        Whoever looks the second time may find that the turn is taken, by itself: what is kept will
        do then.
        """
        for _ in range(_LOOKS):
            with suppress(RedisAway):
                self._known = await self._looked()
                return "ok"
        return "away"

    async def _looked(self) -> _History:
        read_at = time.monotonic()
        kept = await look(self._redis)
        latest = _Latest.of(kept.latest)
        points = [Point(**point) for point in kept.points if point.keys() == _POINT]
        failed = False
        if kept.is_our_turn:
            try:
                latest, point = await self._measured(latest, kept)
                points.append(point)
            except RedisAway:
                raise
            except Exception:  # noqa: BLE001 - whoever looks is told, and sees what is known
                _log.exception("the status cannot be measured")
                failed = True
        recent = [point for point in points if point.at > kept.now - HISTORY_SECONDS]
        return _History(latest=latest, points=recent, now=kept.now, read_at=read_at, failed=failed)

    async def _measured(self, before: _Latest | None, kept: Kept) -> tuple[_Latest, Point]:
        """Measure and keep it; return what the next look goes on from, and what is drawn."""
        served = {queue for process in await alive(self._redis) for queue in process.queues}
        found = await collect(await self._redis.targets())
        earlier = before.snapshot if before else None
        snapshot = snapshot_of(found, earlier, at=kept.now, served=served)
        samples = [*(before.minute if before else ()), sample_of(snapshot, earlier)]
        latest = _Latest(snapshot=snapshot, minute=last_minute(samples))
        point = point_of(together(latest.minute))
        await keep(self._redis, latest=latest, point=point)
        return latest, point


def _status(known: _History, redis: str) -> Status:
    groups, latest = drawn(known.points), known.latest
    at = latest.snapshot.at if latest else None
    moment = known.moment
    age = None if at is None else moment - at
    findings = [away_finding()] if redis == "away" else []
    if redis == "ok" and (known.failed or (age is not None and age > _STALE_SECONDS)):
        findings.append(stale_finding(age))
    if latest:
        findings += findings_of(latest.snapshot, latest.minute[-1], groups)
    states = sorted(latest.snapshot.processes.items()) if latest else []
    return Status(
        verdict=gravest(
            [Verdict.OK if latest else Verdict.UNKNOWN, *(item.verdict for item in findings)]
        ),
        measured_at=None if at is None else _time(at),
        age=age,
        now=_time(moment),
        redis=redis,
        findings=by_gravity(findings),
        groups=groups,
        times=[_time(point.at) for point in known.points],
        processes=[_state(key, values) for key, values in states],
    )


def _state(key: str, values: Mapping[str, float]) -> ProcessState:
    process, started = Name.of(key), values.get("started_at")
    return ProcessState(
        name=process.name,
        host=process.host,
        up=bool(values["up"]),
        memory=values.get("memory"),
        cpu=_rounded(values.get("busy")),
        loop_lag=_rounded(values.get("loop_lag")),
        started_at=_time(started) if started else None,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DECIMALS)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
