"""Jobs that do something to many jobs: what administrators order over a selection."""

from dataclasses import dataclass
from typing import ClassVar

from storage.jobs.job import Job


@dataclass(frozen=True, slots=True)
class OverMany(Job):
    """Which jobs are meant, as `Selection` has it: times in ISO 8601, null does not ask.

    What was promised after the order itself is never meant.
    """

    time_limit: ClassVar[float] = 600
    longest_backoff: ClassVar[float] = 60

    state: str
    of_queue: str | None = None
    of_job: str | None = None
    error_contains: str | None = None
    since: str | None = None
    before: str | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class RetryJobs(OverMany):
    """Make dead, discarded or delayed jobs due now."""

    name: ClassVar[str] = "maintenance.retry_jobs"


@dataclass(frozen=True, slots=True)
class DiscardJobs(OverMany):
    """Give up jobs that nobody works on."""

    name: ClassVar[str] = "maintenance.discard_jobs"


@dataclass(frozen=True, slots=True)
class ReplayJobs(OverMany):
    """Promise the work of finished jobs once more, each once."""

    name: ClassVar[str] = "maintenance.replay_jobs"
