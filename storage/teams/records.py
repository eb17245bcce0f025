"""The records of teams and their members, their problems, and the columns they are made of."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from ops.errors import Detail, Kind, Problem

# What is counted, listed and, when a team is deleted, touched stays quick.
MAX_MEMBERS = 1_000

# What a `Team` is made of, but for what the reader is in it.
COLUMNS = """
    teams.id, teams.name, teams.description, teams.version, teams.created_at, teams.updated_at,
    living.members AS member_count
"""

# How many are in a team; goes after `FROM teams`.
LIVING = """
CROSS JOIN LATERAL (
    SELECT count(*) AS members FROM team_members JOIN users ON users.id = team_members.user_id
    WHERE team_members.team_id = teams.id AND users.deleted_at IS NULL
) AS living
"""


class TeamRole(StrEnum):
    """What somebody is in a team."""

    MANAGER = "manager"
    MEMBER = "member"


class TeamNotFound(Problem, kind=Kind.NOT_FOUND, code="NOT_FOUND"):
    """There is no such team. GET /teams lists those you may see."""


class TeamNameTaken(Problem, kind=Kind.CONFLICT, code="DUPLICATE_ENTRY"):
    """Another team has this name. Choose another one; case makes no difference."""

    def __init__(self) -> None:
        super().__init__(details=[Detail("name", "Name already exists")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A team, as whoever asked for it sees it."""

    id: UUID
    name: str
    description: str
    member_count: int
    # What the reader is in it; None: nothing.
    my_role: str | None
    # Counts changes of who is in it too.
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody in a team: the id is the person's, the version the team's."""

    id: UUID
    email: str
    first_name: str
    last_name: str
    role: str
    since: datetime
    version: int
