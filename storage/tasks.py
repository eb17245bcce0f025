"""The table of periodic work: which job is promised when, and which slots there are.

Times are UTC: an hour that summer time leaves out or repeats is no concern of a task.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, pairwise

from cronsim import CronSim

from ops.errors import Kind, Problem
from storage.jobs import (
    CleanUpPipeline,
    CleanUpSessions,
    CountStatistics,
    ExportCheckpoint,
    Job,
    KeepAuditMonths,
    RotateSigningKey,
    VerifyAudit,
)

# Enough slots to meet the longest pause between two of them in a table of hours and days.
_SAMPLE = 64
_SOME_MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)


class TaskNotFound(Problem, kind=Kind.NOT_FOUND, code="NOT_FOUND"):
    """There is no such task; GET /admin/tasks lists them."""


@dataclass(frozen=True, slots=True)
class Task:
    """A job and the minutes (cron, UTC) it is promised at."""

    cron: str
    job: Job

    @property
    def name(self) -> str:
        """The name of its job."""
        return self.job.name

    @property
    def does(self) -> str:
        """What its job is for, in a sentence."""
        return (type(self.job).__doc__ or "").partition("\n")[0]

    @property
    def period(self) -> float:
        """Seconds of the longest pause between two slots."""
        return _longest_pause(self.cron)


TASKS = (
    Task("*/15 * * * *", CleanUpSessions()),
    Task("7 * * * *", CleanUpPipeline()),
    Task("3 * * * *", CountStatistics()),
    Task("37 * * * *", RotateSigningKey()),
    Task("*/5 * * * *", ExportCheckpoint()),
    Task("17 * * * *", KeepAuditMonths()),
    Task("41 3 * * *", VerifyAudit()),
)


@cache
def _longest_pause(cron: str) -> float:
    slots = pairwise(islice(CronSim(cron, _SOME_MIDNIGHT), _SAMPLE))
    return max((later - earlier).total_seconds() for earlier, later in slots)


def task_named(name: str) -> Task:
    """Return the task of this name; raise TaskNotFound, which names those there are."""
    for task in TASKS:
        if task.name == name:
            return task
    known = ", ".join(sorted(task.name for task in TASKS))
    raise TaskNotFound(f"There is no such task. There are: {known}.")


def latest_slot(cron: str, now: datetime) -> datetime:
    """Return the last time at or before `now` that the expression names."""
    next_minute = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return next(CronSim(cron, next_minute, reverse=True))


def next_slot(cron: str, now: datetime) -> datetime:
    """Return the first time after `now` that the expression names."""
    return next(CronSim(cron, now))
