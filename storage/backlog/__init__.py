"""The backlog: promises as administrators see them, retried, discarded, replayed."""

from storage.backlog.records import (
    Chosen,
    JobDetails,
    JobNotFound,
    JobState,
    JobSummary,
    PromisedAlready,
    QueueNotFound,
    QueueState,
    Selection,
    WrongState,
)
from storage.backlog.repository import Backlog

__all__ = [
    "Backlog",
    "Chosen",
    "JobDetails",
    "JobNotFound",
    "JobState",
    "JobSummary",
    "PromisedAlready",
    "QueueNotFound",
    "QueueState",
    "Selection",
    "WrongState",
]
