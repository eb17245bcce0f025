"""Orders over many jobs: what may be selected for what, and the promise that carries it out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from ops.errors import Detail, Kind, Problem
from storage.backlog.records import JobState, Selection
from storage.jobs import CATALOGUE, DiscardJobs, OverMany, ReplayJobs, RetryJobs, queues
from storage.repositories import Storage

Deed = Literal["retry", "discard", "replay"]

JOBS: Mapping[Deed, type[OverMany]] = {
    "retry": RetryJobs,
    "discard": DiscardJobs,
    "replay": ReplayJobs,
}

# Jobs that are done are only repeated where somebody names that state.
STATES: Mapping[Deed, tuple[JobState, ...]] = {
    "retry": (JobState.DEAD, JobState.DISCARDED, JobState.DELAYED),
    "discard": (JobState.DEAD, JobState.PENDING, JobState.DELAYED, JobState.HANDED_OVER),
    "replay": (JobState.DEAD, JobState.DISCARDED, JobState.DONE),
}


class NotSelectable(Problem, kind=Kind.INVALID, code="VALIDATION_ERROR"):
    """These jobs cannot be selected for this. Correct what the details name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as it was taken: the job that carries it out, None for a dry run."""

    id: UUID | None
    matched: int


def check(deed: Deed, selection: Selection) -> None:
    """Raise NotSelectable for a state that does not allow the deed, or a name nobody has."""
    allowed = {
        "state": STATES[deed],
        "queue": (None, *queues()),
        "job": (None, *CATALOGUE),
    }
    wrong = [
        Detail(f"filter.{name}", f"Choose among {', '.join(filter(None, values))}.")
        for name, values in allowed.items()
        if getattr(selection, name) not in values
    ]
    if wrong:
        raise NotSelectable(details=wrong)


async def count(
    storage: Storage, deed: Deed, selection: Selection, *, limit: int | None = None
) -> Order:
    """Return how many jobs an order would be over; raise NotSelectable."""
    check(deed, selection)
    matched = await storage.backlog.matched(selection)
    return Order(id=None, matched=matched if limit is None else min(matched, limit))


async def place(
    storage: Storage, deed: Deed, selection: Selection, *, limit: int | None = None
) -> Order:
    """Promise to do it to every job of a selection, or to the first `limit` of them."""
    found = await count(storage, deed, selection, limit=limit)
    job = JOBS[deed](
        state=selection.state,
        of_queue=selection.queue,
        of_job=selection.job,
        error_contains=selection.error_contains,
        since=_written(selection.since),
        before=_written(selection.before),
        limit=limit,
    )
    order_id = await storage.outbox.put(job)
    await storage.audit.note(
        f"jobs.{deed}_ordered", subject=order_id, state=selection.state, matched=found.matched
    )
    return Order(id=order_id, matched=found.matched)


def selection_of(job: OverMany, *, promised: datetime) -> Selection:
    """Return the selection of an order that was promised at that time.

    What was retried and failed again looks as it did before: an order to retry is over what nobody
    touched since, so that it ends, and cuts no back-off short that it began itself.
    """
    before = datetime.fromisoformat(job.before) if job.before else promised
    return Selection(
        state=JobState(job.state),
        queue=job.of_queue,
        job=job.of_job,
        error_contains=job.error_contains,
        since=datetime.fromisoformat(job.since) if job.since else None,
        before=min(before, promised),
        untouched_since=promised if isinstance(job, RetryJobs) else None,
    )


def _written(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
