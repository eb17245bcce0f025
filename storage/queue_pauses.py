"""Queues that wait because the server their jobs need does not answer."""

from typing import Any

PAUSE = """
INSERT INTO queue_pauses (queue, until, reason)
VALUES ($1, now() + interval '15 seconds', $2)
ON CONFLICT (queue) DO UPDATE
SET until = excluded.until, reason = excluded.reason, updated_at = now()
"""

RESUME = "DELETE FROM queue_pauses WHERE queue = $1"


class QueuePauses:
    """Which queues wait; the relay lets one promise in 15 seconds out of each as a probe."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def pause(self, queue: str, reason: str) -> None:
        """Hold a queue whose server does not answer; one promise in 15 seconds goes out."""
        await self._connection.execute(PAUSE, queue, reason)

    async def resume(self, queue: str) -> None:
        """Let a paused queue run again."""
        await self._connection.execute(RESUME, queue)
