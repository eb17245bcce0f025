"""Letters and what became of them: one row per job, so that a repeated job sends no second one."""

from enum import StrEnum
from typing import Any
from uuid import UUID

QUEUE = """
INSERT INTO letters (id, user_id, template) VALUES ($1, $2, $3)
ON CONFLICT (id) DO UPDATE SET updated_at = now()
RETURNING state
"""

SET_STATE = """
UPDATE letters SET state = $2, answer = $3, updated_at = now(),
    handed_at = CASE WHEN $2 = 'handed_over' THEN now() ELSE handed_at END
WHERE id = $1
"""


class LetterState(StrEnum):
    """What became of a letter; nobody can know that it was read, so none is ever `sent`."""

    QUEUED = "queued"
    HANDED_OVER = "handed_over"
    BOUNCED = "bounced"
    FAILED = "failed"


class Letters:
    """Letters by the id of their job."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def queue(self, letter_id: UUID, *, user_id: UUID, template: str) -> LetterState:
        """Note a letter before it goes out; return its state, which an earlier try may have set."""
        return LetterState(await self._connection.fetchval(QUEUE, letter_id, user_id, template))

    async def set_state(self, letter_id: UUID, state: LetterState, answer: str | None) -> None:
        """Note what the mail server said."""
        await self._connection.execute(SET_STATE, letter_id, state, answer)
