"""What the status of the house tells."""

from typing import Any, ClassVar

from marshmallow import fields, validate

from api.schemas import Outbound, Time
from api.status.plans import Verdict
from api.status.wording import UNITS

_GRAVE = "`ok`, `look` at it, `act`; `unknown` where nothing was measured."


def _verdict() -> fields.String:
    return fields.String(
        required=True,
        validate=validate.OneOf([str(verdict) for verdict in Verdict]),
        metadata={"description": _GRAVE},
    )


class FindingSchema(Outbound):
    """One thing to look at or do."""

    example: ClassVar[dict[str, Any]] = {
        "verdict": "act",
        "text": "relay.1 on host1 does not answer.",
        "runbook": "TargetDown",
    }

    verdict = _verdict()
    text = fields.String(required=True)
    runbook = fields.String(required=True, metadata={"description": "docs/runbooks/NAME.md"})


class LineSchema(Outbound):
    """The values of one line."""

    example: ClassVar[dict[str, Any]] = {
        "label": "requests",
        "now": 12.5,
        "values": [None, 11.8, 12.5],
    }

    label = fields.String(required=True)
    now = fields.Float(required=True, allow_none=True)
    values = fields.List(
        fields.Float(allow_none=True),
        required=True,
        metadata={"description": "One for each of `times`."},
    )


class FigureSchema(Outbound):
    """A figure of the last 15 minutes."""

    example: ClassVar[dict[str, Any]] = {
        "name": "requests",
        "group": "Requests",
        "title": "Requests",
        "unit": "per second",
        "verdict": "ok",
        "runbook": None,
        "lines": [LineSchema.example],
    }

    name = fields.String(required=True)
    group = fields.String(required=True)
    title = fields.String(required=True)
    unit = fields.String(required=True, validate=validate.OneOf(list(UNITS)))
    verdict = _verdict()
    runbook = fields.String(required=True, allow_none=True)
    lines = fields.List(fields.Nested(LineSchema), required=True)


class ProcessSchema(Outbound):
    """One process; null is what it has not told."""

    example: ClassVar[dict[str, Any]] = {
        "name": "web.1",
        "host": "host1",
        "up": True,
        "memoryBytes": 98_000_000.0,
        "cpu": 0.03,
        "loopLagSeconds": 0.001,
        "startedAt": "2026-11-21T10:00:00.000Z",
    }

    name = fields.String(required=True)
    host = fields.String(required=True)
    up = fields.Boolean(required=True)
    memory = fields.Float(required=True, allow_none=True, data_key="memoryBytes")
    cpu = fields.Float(
        required=True, allow_none=True, metadata={"description": "Share of a core, as of late."}
    )
    loop_lag = fields.Float(required=True, allow_none=True, data_key="loopLagSeconds")
    started_at = Time(required=True, allow_none=True, data_key="startedAt")


class StatusSchema(Outbound):
    """How the house is."""

    example: ClassVar[dict[str, Any]] = {
        "verdict": "act",
        "measuredAt": "2026-11-21T10:30:00.000Z",
        "ageSeconds": 2.4,
        "redis": "ok",
        "findings": [FindingSchema.example],
        "times": [
            "2026-11-21T10:29:50.000Z",
            "2026-11-21T10:29:55.000Z",
            "2026-11-21T10:30:00.000Z",
        ],
        "figures": [FigureSchema.example],
        "processes": [ProcessSchema.example],
    }

    verdict = _verdict()
    measured_at = Time(
        required=True,
        allow_none=True,
        data_key="measuredAt",
        metadata={"description": "null before anything was measured."},
    )
    age_seconds = fields.Float(required=True, allow_none=True, data_key="ageSeconds")
    redis = fields.String(required=True, validate=validate.OneOf(["ok", "away"]))
    findings = fields.List(fields.Nested(FindingSchema), required=True)
    times = fields.List(Time(), required=True)
    figures = fields.List(fields.Nested(FigureSchema), required=True)
    processes = fields.List(fields.Nested(ProcessSchema), required=True)
