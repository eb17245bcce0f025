"""Lanes of the broker: every queue has one for each urgency, and Redis sees each as a queue."""

from dataclasses import dataclass
from threading import Event

from storage.jobs import Urgency


def bell(queue: str) -> str:
    """Return the key on whose list a push wakes one waiting worker of the queue."""
    return f"ostiary:bell:{queue}"


def lane(queue: str, urgency: int) -> str:
    """Return the name of a lane; ordinary promises lie under the queue's own name."""
    if urgency == Urgency.ORDINARY:
        return queue
    return f"{queue}.{Urgency(urgency).name.lower()}"


def lanes(queue: str) -> list[str]:
    """Return the lanes of a queue, the urgent first."""
    return [lane(queue, urgency) for urgency in Urgency]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A message as it came out of a lane under its id."""

    lane: str
    id: bytes
    raw: bytes


class InFlight:
    """What a process fetched from one queue and has not acknowledged yet; any thread may ask."""

    def __init__(self) -> None:
        self.lanes: dict[str, str] = {}
        self.over: list[tuple[str, str]] = []
        self.freed = Event()

    def begin(self, message_id: str, lane_name: str) -> None:
        """Note that a message is being worked on."""
        self.lanes[message_id] = lane_name

    def end(self, message_id: str) -> None:
        """Note that it is over; the consumer acknowledges it with its next pick-up."""
        lane_name = self.lanes.pop(message_id, None)
        if lane_name:
            self.over.append((lane_name, message_id))
        self.freed.set()

    def leave(self, message_id: str) -> str | None:
        """Note that it was not begun after all; return the lane that it came from."""
        return self.lanes.pop(message_id, None)
