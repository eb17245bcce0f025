"""What administrators are shown of queues and jobs, and what they may not do with them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from ops.errors import Kind, Problem

# What "lately" means, here and in the statement that counts.
RECENT_MINUTES = 5


class JobState(StrEnum):
    """Where a job is in its life; `delayed` and `running` are told from times, not stored."""

    PENDING = "pending"
    DELAYED = "delayed"
    HANDED_OVER = "handed_over"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"
    DISCARDED = "discarded"


class JobNotFound(Problem, kind=Kind.NOT_FOUND, code="NOT_FOUND"):
    """There is no such job. Jobs that are done are kept for some days only."""


class QueueNotFound(Problem, kind=Kind.NOT_FOUND, code="NOT_FOUND"):
    """There is no such queue. GET /admin/queues lists them."""


class WrongState(Problem, kind=Kind.CONFLICT, code="CONFLICT"):
    """The job is not in a state in which this can be done. GET it to see what it does."""


class PromisedAlready(Problem, kind=Kind.CONFLICT, code="CONFLICT"):
    """Another job of this name is on its way, and one is enough. Wait until it is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSummary:
    """A job without its body."""

    id: UUID
    job: str
    queue: str
    state: str
    urgency: int
    attempts: int
    crashes: int
    error: str | None
    request_id: str | None
    replay_of: UUID | None
    progress_done: int | None
    progress_total: int | None
    # When the worker who has it now took it.
    running_since: datetime | None
    # When it is tried next, was handed to the broker, or ended.
    at: datetime
    created_at: datetime
    updated_at: datetime

    @property
    def progress(self) -> dict[str, int | None] | None:
        """How far a long job says it is; None for all others."""
        if self.progress_done is None:
            return None
        return {"done": self.progress_done, "total": self.progress_total}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDetails(JobSummary):
    """A job with its body, and what became of the letter it wrote."""

    body: dict[str, Any]
    letter_state: str | None = None
    letter_answer: str | None = None

    @property
    def letter(self) -> dict[str, str | None] | None:
        """What the mail server said; None for a job that wrote no letter."""
        if self.letter_state is None:
            return None
        return {"state": self.letter_state, "answer": self.letter_answer}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """A queue: what waits in it, what its workers do."""

    queue: str
    pending: int = 0
    delayed: int = 0
    handed_over: int = 0
    running: int = 0
    dead: int = 0
    # Age of the oldest job that is due and that nobody works on.
    oldest_seconds: float | None = None
    done_recently: int = 0
    died_recently: int = 0
    paused_since: datetime | None = None
    paused_reason: str | None = None
    held: bool = False

    @property
    def done_per_minute(self) -> float:
        """Jobs done, on the average of the last five minutes."""
        return self.done_recently / RECENT_MINUTES

    @property
    def died_per_minute(self) -> float:
        """Jobs given up, on the average of the last five minutes."""
        return self.died_recently / RECENT_MINUTES

    @property
    def paused(self) -> dict[str, Any] | None:
        """Since when and why it waits; None when it does not."""
        if self.paused_since is None:
            return None
        return {"since": self.paused_since, "reason": self.paused_reason, "held": self.held}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which jobs are meant: all of it must hold; None does not ask."""

    state: JobState
    queue: str | None = None
    job: str | None = None
    # Found anywhere in the error, whatever the case.
    error_contains: str | None = None
    since: datetime | None = None
    # What was promised at this moment or later is not meant.
    before: datetime | None = None
    # What anybody touched at this moment or later is not meant: who waits, fails or is retried.
    untouched_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """A job out of a selection."""

    id: UUID
    queue: str
