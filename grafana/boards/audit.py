"""Audit: what is written down, how soon it is sealed, and whether it is still as it was."""

from grafana import signals
from grafana.board import Row, board
from grafana.panels import above, below, figure, graph, stat
from grafana.promql import each, highest, house, ours, total, within

_HOUR = 3_600
_VERIFIED = house("ostiary_audit_verified_timestamp_seconds")
_EVENTS = ours("ostiary_audit_events_total")

_NOW = Row(
    "Is it as it was?",
    stat(
        "Ledger intact",
        "No: a row was changed, added or taken away. Leave the database as it is; follow the"
        " runbook.",
        expr=signals.CHAIN_VALID,
        unit="bool_yes_no",
        limits=below(alarm=1),
        alerts=("AuditChainBroken",),
    ),
    stat(
        "Since the last verification",
        "Every night one runs; no data since a restart until then. Now:"
        " `python -m storage audit verify`.",
        expr=f"time() - max({_VERIFIED} > 0)",
        unit="s",
        limits=above(warn=26 * _HOUR, alarm=50 * _HOUR),
        alerts=("ClockTaskMissed",),
    ),
    stat(
        "Oldest event not sealed",
        "Above a minute: until it is sealed, who has the database can change it unseen.",
        expr=signals.SEAL_LAG,
        unit="s",
        limits=above(warn=15, alarm=60),
        alerts=("AuditLagHigh",),
    ),
    stat(
        "Events not sealed",
        "Growing: the worker of queue audit does not keep up or is gone.",
        expr=highest(house("ostiary_audit_unsealed_events")),
        unit="short",
        limits=above(warn=1000),
        alerts=("AuditLagHigh",),
    ),
    stat(
        "Row of the newest checkpoint",
        "What was sealed up to here is signed outside the database. Standing still while events"
        " come: its task does not run.",
        expr=highest(house("ostiary_audit_checkpoint_sequence")),
        unit="none",
        alerts=("ClockTaskMissed",),
    ),
    figure(
        "Events written down",
        "In the time chosen above. None, while people sign in: report it, that is a bug.",
        expr=within(_EVENTS, "$__range"),
        unit="short",
    ),
)

_WRITTEN = Row(
    "What is written down",
    graph(
        "Events by action",
        "One action far above its usual: search the trail for it, GET /api/v1/audit.",
        lines={"{{action}}": each(_EVENTS, by="action")},
        unit="ops",
        width=12,
        alerts=("AdminActionSpike",),
    ),
    graph(
        "What administrators do",
        "More than usual, or at night: ask whoever the trail names.",
        lines={"{{action}}": signals.ADMIN_ACTIONS},
        unit="ops",
        width=12,
        alerts=("AdminActionSpike", "AdminCreated"),
    ),
)

_SEALED = Row(
    "How it is kept",
    graph(
        "Written and sealed",
        "Both lines should lie on each other. Sealed below written: it falls behind.",
        lines={
            "written": total(_EVENTS),
            "sealed": total(ours("ostiary_audit_sealed_events_total")),
        },
        unit="ops",
        alerts=("AuditLagHigh",),
    ),
    graph(
        "Oldest event not sealed, over time",
        "A few seconds is as it should be. Steps upward: the worker of queue audit.",
        lines={"age": signals.SEAL_LAG},
        unit="s",
        limits=above(alarm=60),
        alerts=("AuditLagHigh",),
    ),
    graph(
        "Since the audit's tasks last succeeded",
        "Verified every night, signed outside every 5 minutes, months kept every hour.",
        lines={"{{task}}": signals.since_success('task=~"audit.*"')},
        unit="s",
        alerts=("ClockTaskMissed",),
    ),
)

AUDIT = board(
    "ostiary-audit",
    "Ostiary / Audit",
    description="What is written down, how soon it is sealed, whether it is still as it was.",
    rows=(_NOW, _WRITTEN, _SEALED),
)
