"""What traces tell of a promise on its way (OpenTelemetry's conventions for messaging)."""

from contextlib import AbstractContextManager
from uuid import UUID

from ops import tracing
from ops.tracing import Attributes, Kind, Span
from storage.jobs import Job


def messaging(operation: str, *, queue: str, job: str, promise_id: UUID) -> Attributes:
    """Return the attributes of a step: `create`, `send` or `process`."""
    return {
        "messaging.system": "ostiary",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": queue,
        "messaging.message.id": str(promise_id),
        "ostiary.job": job,
    }


def creating(job: Job, promise_id: UUID) -> AbstractContextManager[Span | None]:
    """Begin the step that makes a promise; nothing while what makes it is not traced."""
    if tracing.current() is None:
        return tracing.UNTRACED
    attributes = messaging("create", queue=job.queue, job=job.name, promise_id=promise_id)
    return tracing.child(f"create {job.name}", kind=Kind.PRODUCER, attributes=attributes)
