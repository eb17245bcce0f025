"""Teams: their records, their members, their SQL."""

from storage.teams.records import (
    MAX_MEMBERS,
    Member,
    Team,
    TeamNameTaken,
    TeamNotFound,
    TeamRole,
)
from storage.teams.repository import Teams

__all__ = ["MAX_MEMBERS", "Member", "Team", "TeamNameTaken", "TeamNotFound", "TeamRole", "Teams"]
