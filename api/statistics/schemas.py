"""What statistics tell."""

from typing import Any, ClassVar

from marshmallow import fields

from api.schemas import Outbound

_UNKNOWN = "null where nobody counted."


class Count(fields.Integer):
    """A number, null where nobody counted."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=True, allow_none=True, **kwargs)


class PeopleSchema(Outbound):
    """People by state."""

    example: ClassVar[dict[str, Any]] = {
        "verified": 940,
        "unverified": 51,
        "suspended": 2,
        "deleted": 7,
    }

    verified = Count()
    unverified = Count()
    suspended = Count()
    deleted = Count()


class SignInsSchema(Outbound):
    """Sign-ins of a day; a session opened by registering is none."""

    example: ClassVar[dict[str, Any]] = {"succeeded": 210, "failed": 12}

    succeeded = Count()
    failed = Count()


class ActiveSchema(Outbound):
    """People who signed in or refreshed a session."""

    example: ClassVar[dict[str, Any]] = {"daily": 180, "weekly": 430, "monthly": 720}

    daily = Count()
    weekly = Count(metadata={"description": "In the 7 days that end with this one."})
    monthly = Count(metadata={"description": "In the 30 days that end with this one."})


class LettersSchema(Outbound):
    """Letters promised on a day, by what has become of them."""

    example: ClassVar[dict[str, Any]] = {
        "queued": 0,
        "handedOver": 96,
        "bounced": 1,
        "failed": 0,
        "withheld": 2,
    }

    queued = Count()
    handed_over = Count(data_key="handedOver")
    bounced = Count()
    failed = Count()
    withheld = Count()


class QueueSchema(Outbound):
    """Jobs of a queue that are not done."""

    example: ClassVar[dict[str, Any]] = {
        "queue": "emails",
        "pending": 3,
        "handedOver": 1,
        "dead": 0,
    }

    queue = fields.String(required=True)
    pending = fields.Integer(required=True)
    handed_over = fields.Integer(required=True, data_key="handedOver")
    dead = fields.Integer(required=True)


class NowSchema(Outbound):
    """How things stand."""

    example: ClassVar[dict[str, Any]] = {
        "users": PeopleSchema.example,
        "sessions": 310,
        "queues": [QueueSchema.example],
    }

    users = fields.Nested(PeopleSchema, required=True)
    sessions = fields.Integer(required=True, metadata={"description": "Live ones."})
    queues = fields.List(fields.Nested(QueueSchema), required=True)


class DaySchema(Outbound):
    """A day, UTC."""

    example: ClassVar[dict[str, Any]] = {
        "day": "2026-11-21",
        "users": PeopleSchema.example,
        "signUps": 12,
        "usersCreated": 1,
        "signIns": SignInsSchema.example,
        "sessionsOpened": 222,
        "activeUsers": ActiveSchema.example,
        "letters": LettersSchema.example,
        "deadJobs": 0,
    }

    day = fields.Date(required=True)
    users = fields.Nested(
        PeopleSchema, required=True, metadata={"description": f"When last counted; {_UNKNOWN}"}
    )
    sign_ups = Count(data_key="signUps")
    users_created = Count(data_key="usersCreated", metadata={"description": "By administrators."})
    sign_ins = fields.Nested(SignInsSchema, required=True, data_key="signIns")
    sessions_opened = Count(data_key="sessionsOpened")
    active_users = fields.Nested(ActiveSchema, required=True, data_key="activeUsers")
    letters = fields.Nested(LettersSchema, required=True)
    dead_jobs = Count(data_key="deadJobs", metadata={"description": "When last counted."})


class StatisticsSchema(Outbound):
    """How things stand, and how many of what there were on each day."""

    example: ClassVar[dict[str, Any]] = {
        "now": NowSchema.example,
        "days": [DaySchema.example],
    }

    now = fields.Nested(NowSchema, required=True)
    days = fields.List(
        fields.Nested(DaySchema),
        required=True,
        metadata={"description": "Days that were counted, the oldest first."},
    )
