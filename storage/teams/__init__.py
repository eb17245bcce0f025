"""Teams: their records, their members, their SQL."""

from storage.teams.records import Member, Team, TeamNameTaken, TeamNotFound, TeamRole
from storage.teams.repository import Teams

__all__ = ["Member", "Team", "TeamNameTaken", "TeamNotFound", "TeamRole", "Teams"]
