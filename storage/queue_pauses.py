"""Queues that wait: for a server that does not answer, or because an administrator holds them."""

from typing import Any

# What is held stays held, whatever a server does.
PAUSE = """
INSERT INTO queue_pauses (queue, until, reason)
VALUES ($1, now() + interval '15 seconds', $2)
ON CONFLICT (queue) DO UPDATE
SET until = excluded.until, reason = excluded.reason, updated_at = now()
WHERE NOT queue_pauses.held
"""

RESUME = "DELETE FROM queue_pauses WHERE queue = $1 AND NOT held"

# No probe is ever due, not even for a relay that knows nothing of holding. The pause begins anew:
# all that was handed over before has been overtaken by it.
HOLD = """
INSERT INTO queue_pauses (queue, until, reason, held) VALUES ($1, 'infinity', $2, true)
ON CONFLICT (queue) DO UPDATE
SET until = excluded.until, reason = excluded.reason, held = true, created_at = now(),
    updated_at = now()
WHERE NOT queue_pauses.held
RETURNING true
"""

RELEASE = "DELETE FROM queue_pauses WHERE queue = $1 AND held RETURNING true"


class QueuePauses:
    """Which queues wait; the relay lets one promise in 15 seconds out of each as a probe.

    Out of a queue that is held it lets nothing.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def pause(self, queue: str, reason: str) -> None:
        """Have a queue wait whose server does not answer; one promise in 15 seconds goes out."""
        await self._connection.execute(PAUSE, queue, reason)

    async def resume(self, queue: str) -> None:
        """Let a paused queue run again, unless it is held."""
        await self._connection.execute(RESUME, queue)

    async def hold(self, queue: str, reason: str) -> bool:
        """Keep everything of a queue back until it is released; False when it is held already."""
        return bool(await self._connection.fetchval(HOLD, queue, reason))

    async def release(self, queue: str) -> bool:
        """Let a held queue run again; False when it is not held."""
        return bool(await self._connection.fetchval(RELEASE, queue))
