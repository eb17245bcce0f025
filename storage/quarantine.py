"""Broker messages that were none of ours: kept to be looked at, out of everybody's way."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ops.errors import Kind, Problem
from ops.ids import new_id
from storage.pages import Listing, Page, Window, fetch_page

_HEAD_BYTES = 2_048

ADD = "INSERT INTO quarantine (id, queue, reason, size, head) VALUES ($1, $2, $3, $4, $5)"

REMOVE = "DELETE FROM quarantine WHERE id = $1 RETURNING queue"

LIST = Listing(
    select="""
SELECT quarantine.id, quarantine.queue, quarantine.reason, quarantine.size, quarantine.head,
    quarantine.created_at, ({order})::text AS sort_value
FROM {rows}
""",
    table="quarantine",
    orders={"createdAt": "quarantine.created_at"},
    conditions={"queue": "quarantine.queue = $?"},
)


class MessageNotFound(Problem, kind=Kind.NOT_FOUND, code="NOT_FOUND"):
    """There is no such message in quarantine. Messages are kept for 30 days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedMessage:
    """A message that could not be read."""

    id: UUID
    queue: str
    reason: str
    size: int
    head: bytes
    created_at: datetime

    @property
    def head_text(self) -> str:
        """Its first bytes as ASCII; whatever could move a cursor or end a line is escaped."""
        return self.head.decode("latin-1").encode("unicode_escape").decode("ascii")


class Quarantine:
    """Messages that could not be read."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def add(self, *, queue: str, reason: str, message: bytes) -> None:
        """Keep the first 2 KiB of a message, its size and what is wrong with it."""
        await self._connection.execute(
            ADD, new_id(), queue, reason, len(message), message[:_HEAD_BYTES]
        )

    async def page(self, window: Window) -> Page[QuarantinedMessage]:
        """Return a part of the list; its filter is `queue`."""
        return await fetch_page(self._connection, LIST, window, QuarantinedMessage)

    async def remove(self, message_id: UUID) -> str:
        """Delete a message; return the queue it came from. Raises MessageNotFound."""
        queue: str | None = await self._connection.fetchval(REMOVE, message_id)
        if queue is None:
            raise MessageNotFound
        return queue
