"""What is held back while something else is told, case by case."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml  # type: ignore[import-untyped]  # only tests read YAML

_RULES = Path(__file__).parents[1] / "prometheus" / "rules"

Labels = dict[str, str]


def _severities() -> dict[str, list[str]]:
    """Return the severities of each alert, the gravest first."""
    found: dict[str, list[str]] = {}
    for path in sorted(_RULES.glob("*.yml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    found.setdefault(rule["alert"], []).append(rule["labels"]["severity"])
    return {name: sorted(severities) for name, severities in found.items()}


SEVERITIES = _severities()


def _alert(name: str, **labels: str) -> Labels:
    """Return the labels of an alert of ours, as grave as its gravest rule unless said."""
    return {"alertname": name, "severity": SEVERITIES[name][0], **labels}


@dataclass(frozen=True, slots=True)
class Case:
    """While one alert fires, some are held back and others are not."""

    fires: Labels
    held: Sequence[Labels]
    told: Sequence[Labels]


CASES = [
    Case(
        _alert("LatencyBudgetBurn", slo="sign_in", severity="critical"),
        [_alert("LatencyBudgetBurn", slo="sign_in", severity="warning")],
        [_alert("LatencyBudgetBurn", slo="latency", severity="warning"), _alert("MemoryHigh")],
    ),
    Case(
        _alert("MemoryHigh", job="node", instance="a:9100", severity="critical"),
        [_alert("MemoryHigh", job="node", instance="a:9100", severity="warning")],
        [_alert("MemoryHigh", job="ostiary", process="web.1-1", severity="warning")],
    ),
    Case(
        _alert("NoTargets", job="ostiary"),
        [
            _alert("ProcessMissing", process_type="web"),
            _alert("ClockTaskMissed"),
            _alert("RestartLoop"),
        ],
        [_alert("PostgresDown"), _alert("TargetDown", job="redis"), _alert("Watchdog")],
    ),
    Case(
        _alert("TargetDown", job="ostiary", process="web.1-1", process_type="web"),
        [
            _alert("EventLoopLagHigh", process="web.1-1"),
            _alert("FdHigh", process="web.1-1"),
            _alert("ProcessMissing", process_type="web"),
        ],
        [
            _alert("EventLoopLagHigh", process="web.1-2"),
            _alert("ProcessMissing", process_type="relay"),
            _alert("ClockTaskMissed"),
        ],
    ),
    Case(
        _alert("ProcessMissing", process_type="relay"),
        [_alert("OutboxStalled"), _alert("QueueOldestOld", queue="emails")],
        [_alert("ClockTaskMissed", task="audit.verify"), _alert("AuditChainBroken")],
    ),
    Case(
        _alert("ProcessMissing", process_type="clock"),
        [_alert("ClockTaskMissed", task="audit.verify")],
        [_alert("OutboxStalled")],
    ),
    Case(
        _alert("ProcessMissing", process_type="emails"),
        [_alert("QueueOldestOld", queue="emails"), _alert("JobWaitHigh", queue="emails")],
        [_alert("QueueOldestOld", queue="audit"), _alert("ClockTaskMissed")],
    ),
    Case(
        _alert("TargetDown", job="ostiary", process="passwords.1", process_type="passwords"),
        [_alert("QueueOldestOld", queue="passwords")],
        [_alert("QueueOldestOld", queue="emails"), _alert("AuditLagHigh")],
    ),
    Case(
        _alert("ProcessMissing", process_type="sessions"),
        [
            *(
                _alert("QueueOldestOld", queue=queue)
                for queue in ("sessions", "maintenance", "audit")
            ),
            _alert("AuditLagHigh"),
            _alert("ClockTaskMissed", task="audit.verify"),
        ],
        [_alert("QueueOldestOld", queue="emails"), _alert("DeadJobsGrowing", queue="audit")],
    ),
    Case(
        _alert("PostgresDown", job="postgres"),
        [
            _alert("ErrorBudgetBurnFast", job="ostiary"),
            _alert("SignInServerErrors"),
            _alert("LatencyBudgetBurn", slo="latency"),
            _alert("OutboxStalled"),
            _alert("QueueOldestOld", queue="emails"),
            _alert("RestartLoop", process="relay.1"),
        ],
        [
            _alert("DiskFillsIn4h"),
            _alert("RedisDown"),
            _alert("TargetDown", job="ostiary"),
            _alert("Watchdog"),
        ],
    ),
    Case(
        _alert("RedisDown", job="redis"),
        [_alert("RedisErrors"), _alert("OutboxStalled"), _alert("JobWaitHigh", queue="emails")],
        [_alert("SignInServerErrors"), _alert("ErrorBudgetBurnFast")],
    ),
    Case(
        _alert("RedisAofWriteFailed", job="redis"),
        [_alert("RedisErrors"), _alert("OutboxStalled")],
        [_alert("DiskFillsIn4h"), _alert("SignInServerErrors")],
    ),
    Case(
        _alert("ErrorBudgetBurnFast", job="ostiary"),
        [_alert("ErrorBudgetBurnMedium"), _alert("ErrorBudgetBurnSlow")],
        [_alert("SignInServerErrors"), _alert("LatencyBudgetBurn", slo="latency")],
    ),
    Case(
        _alert("ErrorBudgetBurnMedium", job="ostiary"),
        [_alert("ErrorBudgetBurnSlow")],
        [_alert("SignInServerErrors")],
    ),
    Case(_alert("CredentialStuffing"), [_alert("PasswordSpray")], [_alert("RefreshTokenReuse")]),
    Case(
        _alert("OutboxStalled"),
        [_alert("QueueOldestOld", queue="emails"), _alert("AuditLagHigh")],
        [_alert("DeadJobsGrowing", queue="emails"), _alert("ClockTaskMissed")],
    ),
    Case(
        _alert("QueueOldestOld", queue="emails"),
        [_alert("JobWaitHigh", queue="emails")],
        [_alert("JobWaitHigh", queue="audit"), _alert("JobFailureRatioHigh", queue="emails")],
    ),
]
