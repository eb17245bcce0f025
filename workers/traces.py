"""Steps of traces that are taken out here: the clock's hour, hand-over, job, letter."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from urllib.parse import urlsplit

from ops import tracing
from ops.logging import bound
from ops.settings import Settings
from ops.tracing import UNTRACED, Attributes, Kind, Span, Tracer, read_parent
from storage.outbox import Due, Promise
from storage.outbox.traces import messaging
from storage.tasks import Task

_FAILED = frozenset({"retried", "dead", "lost"})
_SMTP_PORTS = {"smtp": 587, "smtps": 465}


def ticking(task: Task, tracer: Tracer | None) -> Span | None:
    """Begin the trace of a periodic job; whoever finds that nothing is promised lets it be."""
    if tracer is None:
        return None
    attributes = {"ostiary.job": task.name, "ostiary.cron": task.cron}
    return tracer.begin(f"tick {task.name}", kind=Kind.PRODUCER, attributes=attributes)


def note_hand_over(due: Sequence[Due], tracer: Tracer | None, *, since: int) -> None:
    """Note that the broker took promises which the relay claimed at a time (nanoseconds)."""
    if tracer is None:
        return
    for promise in due:
        if parent := read_parent(promise.trace_parent):
            facts = _messaging("send", promise)
            name = f"send {promise.name}"
            tracer.follow(parent, name, kind=Kind.PRODUCER, attributes=facts, since=since).end()


@contextmanager
def processing(promise: Promise, tracer: Tracer | None) -> Iterator[None]:
    """Begin a try of a job; one that is not the first is linked to what all of them stem from."""
    parent = read_parent(promise.trace_parent) if tracer else None
    if tracer is None or parent is None:
        yield
        return
    span = tracer.follow(
        parent,
        f"process {promise.name}",
        kind=Kind.CONSUMER,
        attributes={**_messaging("process", promise), "ostiary.attempt": promise.attempts},
        links=(parent,) if promise.attempts > 1 else (),
    )
    with span, bound(trace_id=span.trace_id):
        yield


def note_outcome(outcome: str) -> None:
    """Note how the try ended that is current."""
    span = tracing.current()
    if span is None:
        return
    span.describe({"ostiary.outcome": outcome})
    if outcome in _FAILED:
        span.fail(outcome)


def delivering(template: str, settings: Settings) -> AbstractContextManager[Span | None]:
    """Begin to hand a letter over; whom it goes to stays here."""
    if tracing.current() is None:
        return UNTRACED
    attributes = {"ostiary.template": template, **_server(settings.smtp_url)}
    return tracing.child(f"deliver {template}", kind=Kind.CLIENT, attributes=attributes)


def _server(smtp_url: str) -> Attributes:
    if not smtp_url:
        return {"network.protocol.name": "file"}
    parts = urlsplit(smtp_url)
    return {
        "network.protocol.name": "smtp",
        "server.address": parts.hostname or "localhost",
        "server.port": parts.port or _SMTP_PORTS[parts.scheme],
    }


def _messaging(operation: str, promise: Due | Promise) -> Attributes:
    return messaging(operation, queue=promise.queue, job=promise.name, promise_id=promise.id)
