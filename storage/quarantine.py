"""Broker messages that were none of ours: kept to be looked at, out of everybody's way."""

from typing import Any

from ops.ids import new_id

_HEAD_BYTES = 2_048

ADD = "INSERT INTO quarantine (id, queue, reason, size, head) VALUES ($1, $2, $3, $4, $5)"

PURGE = "DELETE FROM quarantine WHERE created_at < now() - make_interval(days => $1)"


class Quarantine:
    """Messages that could not be read."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def add(self, *, queue: str, reason: str, message: bytes) -> None:
        """Keep the first 2 KiB of a message, its size and what is wrong with it."""
        await self._connection.execute(
            ADD, new_id(), queue, reason, len(message), message[:_HEAD_BYTES]
        )

    async def purge(self, *, days: int) -> None:
        """Delete messages older than `days`."""
        await self._connection.execute(PURGE, days)
