"""What the outbox tells of promises, by who asks: the relay, a holder, whoever counts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


class OutsideTransaction(RuntimeError):  # noqa: N818 - read as a sentence where it is raised
    """A promise was made outside a transaction, where nothing would bind it to its reason."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many more promises of a queue and urgency the broker shall hold."""

    queue: str
    urgency: int
    room: int


@dataclass(frozen=True, slots=True)
class Due:
    """A promise as the relay sees it."""

    id: UUID
    queue: str
    name: str
    urgency: int = 1
    # The `traceparent` of what promised it, if that is traced.
    trace_parent: str | None = None


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A promise handed over a while ago; `old` when it is high time whatever the broker says."""

    id: UUID
    queue: str
    urgency: int
    handed_at: datetime
    old: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """A promise as its holder sees it while working on it."""

    id: UUID
    holder: UUID
    queue: str
    name: str
    body: dict[str, Any]
    request_id: str | None
    attempts: int
    crashes: int
    created_at: datetime
    available_at: datetime
    paused: bool
    overtaken: bool
    # The `traceparent` of what promised it, if that is traced.
    trace_parent: str | None = None


@dataclass(frozen=True, slots=True)
class Depth:
    """How many promises of a queue are in a state, and the age of the oldest due one, seconds."""

    queue: str
    state: str
    depth: int
    oldest: float | None
