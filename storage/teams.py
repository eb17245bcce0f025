"""Teams: who is in them, and who manages them."""

from enum import StrEnum
from typing import Any
from uuid import UUID

MANAGES = """
SELECT EXISTS (
    SELECT FROM team_members AS own JOIN team_members AS other USING (team_id)
    WHERE own.user_id = $1 AND own.role = 'manager' AND other.user_id = $2
)
"""


class TeamRole(StrEnum):
    """What somebody is in a team."""

    MANAGER = "manager"
    MEMBER = "member"


class Teams:
    """Teams and their members."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def manages(self, manager_id: UUID, user_id: UUID) -> bool:
        """Say whether a person is in a team that the other one manages."""
        return bool(await self._connection.fetchval(MANAGES, manager_id, user_id))
