"""What somebody should look at or do: processes that are away, and figures over their limits."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from api.status.figures import Figure
from api.status.plans import GRAVITY, Verdict
from api.status.samples import Sample, Snapshot
from api.status.wording import shown
from storage.jobs import queues

# Kinds of processes without which work of the house stands still, and which work that is.
_NEEDED: Mapping[str, str] = {
    "web": "Prometheus and this page measure no request.",
    "relay": "No job reaches a worker, no letter leaves.",
    "clock": "Periodic tasks stand still; queues, outbox and seal lag are not measured.",
}

# Those of findings that are no figures.
RUNBOOKS = frozenset({"TargetDown", "ProcessMissing", "AuditChainBroken", "RedisErrors"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to look at or do, and the runbook that says how."""

    verdict: Verdict
    text: str
    runbook: str


@dataclass(frozen=True, slots=True)
class Name:
    """What a process is called, and on which host."""

    name: str
    host: str

    @classmethod
    def of(cls, key: str) -> "Name":
        """Read it out of `name@host/pid`."""
        name, _, place = key.partition("@")
        return cls(name, place.rpartition("/")[0])

    @property
    def kind(self) -> str:
        """Its type in the Procfile: web for web.1 and web.1-2."""
        return re.split(r"[.-]", self.name, maxsplit=1)[0]


def away_finding() -> Finding:
    """Return what is to be said while Redis is away."""
    text = "Redis does not answer: this page stands still, jobs wait, requests go on."
    return Finding(verdict=Verdict.ACT, text=text, runbook="RedisErrors")


def stale_finding(age: float | None) -> Finding:
    """Return what is to be said when nobody could measure for so many seconds, or ever (None)."""
    since = "Nothing was measured yet" if age is None else f"Measured {shown(age, 'seconds')} ago"
    text = f"{since}: measuring fails, the logs of the web processes say why."
    return Finding(verdict=Verdict.LOOK, text=text, runbook="TargetDown")


def findings_of(
    snapshot: Snapshot, newest: Sample, groups: Mapping[str, Sequence[Figure]]
) -> list[Finding]:
    """Return everything that was found not to be well."""
    return [*_processes(snapshot), *_ledger(newest), *_figures(groups)]


def by_gravity(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings, the gravest first."""
    return sorted(findings, key=lambda finding: -GRAVITY.index(finding.verdict))


def _processes(snapshot: Snapshot) -> Iterator[Finding]:
    living = set()
    for key, values in snapshot.processes.items():
        process = Name.of(key)
        if values["up"]:
            living.add(process.kind)
            continue
        text = f"{process.name} on {process.host} does not answer."
        yield Finding(verdict=Verdict.ACT, text=text, runbook="TargetDown")
    for kind, effect in _NEEDED.items():
        if kind not in living:
            text = f"No {kind} process runs. {effect}"
            yield Finding(verdict=Verdict.ACT, text=text, runbook="ProcessMissing")
    if idle := sorted(set(queues()) - set(snapshot.served)):
        text = f"Nobody works on the jobs of {', '.join(idle)}."
        yield Finding(verdict=Verdict.ACT, text=text, runbook="ProcessMissing")


def _ledger(newest: Sample) -> Iterator[Finding]:
    if newest.gauges.get("broken"):
        text = "The audit ledger is not what was sealed."
        yield Finding(verdict=Verdict.ACT, text=text, runbook="AuditChainBroken")


def _figures(groups: Mapping[str, Sequence[Figure]]) -> Iterator[Finding]:
    for figure in (figure for figures in groups.values() for figure in figures):
        if figure.plan.limit and figure.verdict in {Verdict.LOOK, Verdict.ACT}:
            limit, title = figure.plan.limit, figure.plan.title
            what = f"{title}, {limit.says}" if limit.says else title
            text = f"{what}: {shown(figure.watched, limit.unit or figure.plan.unit)}."
            yield Finding(verdict=figure.verdict, text=text, runbook=limit.runbook)
