"""What every job has: a name, an urgency, limits; and how it is written down."""

import dataclasses
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar, Self
from uuid import UUID

# Whose job it is when nobody lives under an address: the same work is promised either way, so that
# neither the answer nor its time tells.
NOBODY = UUID(int=0)


class Urgency(IntEnum):
    """Who goes first; the lanes of every queue."""

    URGENT = 0  # a person waits for it
    ORDINARY = 1
    BULK = 2  # one of many that were promised at once


@dataclass(frozen=True, slots=True)
class Job:
    """A kind of work: named `queue.what`, its class an imperative."""

    name: ClassVar[str]
    # What its promises are unless `put` is told otherwise.
    urgency: ClassVar[Urgency] = Urgency.ORDINARY
    # Seconds one try may take; tries before the promise is buried; seconds of back-off, doubled
    # from the first to the longest.
    time_limit: ClassVar[float] = 60
    max_attempts: ClassVar[int] = 12
    first_backoff: ClassVar[float] = 2
    longest_backoff: ClassVar[float] = 3_600

    @property
    def queue(self) -> str:
        """The queue, which is also the concern and the Procfile's process type."""
        return queue_of(self.name)

    @classmethod
    def from_body(cls, body: dict[str, Any]) -> Self:
        """Read what `body_of` wrote; raise ValueError or TypeError for anything else."""
        kinds = {item.name: item.type for item in dataclasses.fields(cls)}
        if set(body) != set(kinds):
            raise ValueError(f"{cls.name} wants {sorted(kinds)}, got {sorted(body)}")
        return cls(
            **{
                key: UUID(str(value)) if kinds[key] is UUID else value
                for key, value in body.items()
            }
        )


def queue_of(name: str) -> str:
    """Return the queue of a job's name."""
    return name.partition(".")[0]


def body_of(job: Job) -> dict[str, Any]:
    """Return the job's facts as a JSON object."""
    return {
        item.name: str(value) if isinstance(value := getattr(job, item.name), UUID) else value
        for item in dataclasses.fields(job)
    }
