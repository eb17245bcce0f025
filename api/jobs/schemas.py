"""What endpoints of queues and jobs take and give, and how their lists can be asked for."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from marshmallow import ValidationError, fields, validate

from api.fields import Line
from api.filters import choice, word
from api.jobs.service import Bulk
from api.paging import Lists
from api.schemas import Inbound, Outbound, Time
from storage.backlog import JobState, Selection
from storage.jobs import CATALOGUE, queues

_LONGEST_REASON = 200
_LONGEST_ERROR = 200
_MOST = 1_000_000
_STATES = [str(state) for state in JobState]
_JOB = "01935b5c-6d1e-7a3b-8c4d-5e6f708192a3"
_TIME = "2026-11-21T10:30:00.000Z"

JOB_LISTS = Lists(
    sorts=("createdAt", "at"),
    filters={
        "state": choice(*_STATES, description="What it is now."),
        "queue": choice(*queues()),
        "job": choice(*sorted(CATALOGUE)),
        "requestId": word(longest=200, description="Of the request that promised it."),
        "error": word(longest=_LONGEST_ERROR, description="Found in its error, whatever the case."),
    },
    searched=False,
)
MESSAGE_LISTS = Lists(sorts=("createdAt",), filters={"queue": choice(*queues())}, searched=False)


class _Moment(fields.AwareDateTime):
    """A time with its offset from UTC."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="iso", load_default=None, allow_none=True, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        moment: datetime = super()._deserialize(value, attr, data, **kwargs)
        try:
            return moment.astimezone(UTC)
        except OverflowError as error:
            raise ValidationError("Send a later, or an earlier time.") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why somebody does something to a queue."""

    reason: str


class HoldSchema(Inbound):
    """Why a queue is held; the audit trail keeps it."""

    makes = Reason
    example: ClassVar[dict[str, Any]] = {"reason": "The mail provider asked us to wait."}

    reason = Line(1, _LONGEST_REASON, required=True)


class ReleaseSchema(Inbound):
    """Why a queue is released, if that is worth telling."""

    makes = Reason
    example: ClassVar[dict[str, Any]] = {"reason": "The mail provider is well again."}

    reason = Line(1, _LONGEST_REASON, load_default="none given")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Whether a job's effect shall happen a second time."""

    even_if_done: bool


class ReplaySchema(Inbound):
    """Says whether the work is to be repeated of a job that is done, too."""

    makes = Replay
    example: ClassVar[dict[str, Any]] = {"evenIfDone": True}

    even_if_done = fields.Boolean(
        truthy={True}, falsy={False}, load_default=False, data_key="evenIfDone"
    )


class SelectionSchema(Inbound):
    """Which jobs are meant; what is left out is not asked for."""

    makes = Selection
    example: ClassVar[dict[str, Any]] = {"queue": "emails", "state": "dead"}

    state = fields.Enum(JobState, by_value=True, load_default=JobState.DEAD)
    queue = fields.String(load_default=None, allow_none=True, validate=validate.OneOf(queues()))
    job = fields.String(
        load_default=None, allow_none=True, validate=validate.OneOf(sorted(CATALOGUE))
    )
    error_contains = Line(
        1, _LONGEST_ERROR, load_default=None, allow_none=True, data_key="errorContains"
    )
    since = _Moment(data_key="from")
    before = _Moment(data_key="to")


class BulkSchema(Inbound):
    """Which jobs, how many of them at most, and whether only to count."""

    makes = Bulk
    example: ClassVar[dict[str, Any]] = {
        "filter": {"queue": "emails", "state": "dead", "errorContains": "550"},
        "limit": 1000,
        "dryRun": False,
    }

    selection = fields.Nested(SelectionSchema, required=True, data_key="filter")
    limit = fields.Integer(
        strict=True, load_default=None, allow_none=True, validate=validate.Range(1, _MOST)
    )
    dry_run = fields.Boolean(truthy={True}, falsy={False}, load_default=False, data_key="dryRun")


class OrderSchema(Outbound):
    """An order over many jobs: the job that carries it out, whose progress can be read."""

    example: ClassVar[dict[str, Any]] = {"id": _JOB, "matched": 1200}

    id = fields.UUID(required=True, allow_none=True)
    matched = fields.Integer(required=True)


class PauseSchema(Outbound):
    """Since when and why a queue waits; `held`: until an administrator releases it."""

    example: ClassVar[dict[str, Any]] = {"since": _TIME, "reason": "refused", "held": False}

    since = Time(required=True)
    reason = fields.String(required=True)
    held = fields.Boolean(required=True)


class StaffedQueueSchema(Outbound):
    """A queue: what waits in it, what its workers do."""

    example: ClassVar[dict[str, Any]] = {
        "queue": "emails",
        "pending": 3,
        "delayed": 1,
        "handedOver": 12,
        "running": 4,
        "dead": 2,
        "oldestSeconds": 1.5,
        "donePerMinute": 84.2,
        "diedPerMinute": 0.2,
        "paused": None,
        "workers": 1,
    }

    queue = fields.String(required=True, attribute="state.queue")
    pending = fields.Integer(required=True, attribute="state.pending")
    delayed = fields.Integer(required=True, attribute="state.delayed")
    handed_over = fields.Integer(
        required=True, attribute="state.handed_over", data_key="handedOver"
    )
    running = fields.Integer(required=True, attribute="state.running")
    dead = fields.Integer(required=True, attribute="state.dead")
    oldest_seconds = fields.Float(
        required=True, allow_none=True, attribute="state.oldest_seconds", data_key="oldestSeconds"
    )
    done_per_minute = fields.Float(
        required=True, attribute="state.done_per_minute", data_key="donePerMinute"
    )
    died_per_minute = fields.Float(
        required=True, attribute="state.died_per_minute", data_key="diedPerMinute"
    )
    paused = fields.Nested(PauseSchema, required=True, allow_none=True, attribute="state.paused")
    workers = fields.Integer(required=True, allow_none=True)


class ProgressSchema(Outbound):
    """How far a long job says it is."""

    example: ClassVar[dict[str, Any]] = {"done": 500, "total": 1200}

    done = fields.Integer(required=True)
    total = fields.Integer(required=True, allow_none=True)


class LetterSchema(Outbound):
    """What became of the letter that a job wrote."""

    example: ClassVar[dict[str, Any]] = {"state": "failed", "answer": "550 no such mailbox"}

    state = fields.String(required=True)
    answer = fields.String(required=True, allow_none=True)


class JobSchema(Outbound):
    """A job without its body."""

    example: ClassVar[dict[str, Any]] = {
        "id": _JOB,
        "job": "emails.welcome",
        "queue": "emails",
        "state": "dead",
        "urgency": 0,
        "attempts": 1,
        "crashes": 0,
        "error": "550 no such mailbox",
        "requestId": "8e03978e-40d5-43dd-bc93-6894a57f9324",
        "replayOf": None,
        "progress": None,
        "runningSince": None,
        "at": _TIME,
        "createdAt": _TIME,
        "updatedAt": _TIME,
    }

    id = fields.UUID(required=True)
    job = fields.String(required=True)
    queue = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(_STATES))
    urgency = fields.Integer(required=True, validate=validate.Range(0, 2))
    attempts = fields.Integer(required=True)
    crashes = fields.Integer(required=True)
    error = fields.String(required=True, allow_none=True)
    request_id = fields.String(required=True, allow_none=True, data_key="requestId")
    replay_of = fields.UUID(required=True, allow_none=True, data_key="replayOf")
    progress = fields.Nested(ProgressSchema, required=True, allow_none=True)
    running_since = Time(required=True, allow_none=True, data_key="runningSince")
    at = Time(required=True)
    created_at = Time(required=True, data_key="createdAt")
    updated_at = Time(required=True, data_key="updatedAt")


class JobDetailsSchema(JobSchema):
    """A job with the ids it is about, and its letter."""

    example: ClassVar[dict[str, Any]] = JobSchema.example | {
        "body": {"user_id": "01935b5c-1f00-7c11-9a52-3d4e5f607182"},
        "letter": LetterSchema.example,
    }

    body = fields.Dict(keys=fields.String(), required=True)
    letter = fields.Nested(LetterSchema, required=True, allow_none=True)


class MessageSchema(Outbound):
    """A broker message that could not be read."""

    example: ClassVar[dict[str, Any]] = {
        "id": _JOB,
        "queue": "emails",
        "reason": "cannot be decoded: DecodeError",
        "size": 17,
        "head": "no message of ours",
        "createdAt": _TIME,
    }

    id = fields.UUID(required=True)
    queue = fields.String(required=True)
    reason = fields.String(required=True)
    size = fields.Integer(required=True)
    head = fields.String(required=True, attribute="head_text")
    created_at = Time(required=True, data_key="createdAt")
