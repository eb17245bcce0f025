"""What is told of periodic tasks."""

from typing import Any, ClassVar

from marshmallow import fields

from api.schemas import Outbound, Time

_STATES = "pending, handed_over, done, dead or discarded; null when its row was cleaned up."
_JOB_ID = "01935b5c-6d1e-7a3b-8c4d-5e6f708192a3"


class TaskSchema(Outbound):
    """A periodic task and how it stands."""

    example: ClassVar[dict[str, Any]] = {
        "task": "sessions.cleanup",
        "does": "Delete sessions, tokens and idempotency keys that ended long ago.",
        "schedule": "*/15 * * * *",
        "lastSlot": "2026-11-21T10:30:00.000Z",
        "lastSuccess": "2026-11-21T10:30:00.412Z",
        "lastSeconds": 0.021,
        "next": "2026-11-21T10:45:00.000Z",
        "jobId": _JOB_ID,
        "state": "done",
        "error": None,
    }

    name = fields.String(required=True, data_key="task")
    does = fields.String(required=True)
    schedule = fields.String(
        required=True, metadata={"description": "Five fields of cron, in UTC."}
    )
    last_slot = Time(required=True, allow_none=True, data_key="lastSlot")
    last_success = Time(required=True, allow_none=True, data_key="lastSuccess")
    last_seconds = fields.Float(
        required=True,
        allow_none=True,
        data_key="lastSeconds",
        metadata={"description": "How long the newest success worked."},
    )
    next = Time(required=True)
    job_id = fields.UUID(
        required=True,
        allow_none=True,
        data_key="jobId",
        metadata={"description": "Its newest job."},
    )
    state = fields.String(required=True, allow_none=True, metadata={"description": _STATES})
    error = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "What the newest job's last failed try said."},
    )


class TaskRunSchema(Outbound):
    """The job that runs a task."""

    example: ClassVar[dict[str, Any]] = {
        "task": "sessions.cleanup",
        "jobId": _JOB_ID,
        "alreadyPromised": False,
    }

    name = fields.String(required=True, data_key="task")
    job_id = fields.UUID(required=True, data_key="jobId")
    already_promised = fields.Boolean(
        required=True,
        data_key="alreadyPromised",
        metadata={"description": "The task was waiting or running: this is that job."},
    )
