"""Teams: their SQL.

Whatever changes a team or who is in it locks the team first, then the people, by their ids: so that
nobody waits for each other in turn. Members who are deleted are neither shown nor counted; restored
they are back.
"""

from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg

from ops.ids import new_id
from storage.pages import Page, Window, fetch_page
from storage.teams.listing import LIST
from storage.teams.members import MEMBER, fetch_members
from storage.teams.records import (
    COLUMNS,
    LIVING,
    Member,
    Team,
    TeamNameTaken,
    TeamNotFound,
    TeamRole,
)

MANAGES = """
SELECT EXISTS (
    SELECT FROM team_members AS own JOIN team_members AS other USING (team_id)
    WHERE own.user_id = $1 AND own.role = 'manager' AND other.user_id = $2
)
"""

BY_ID = f"""
SELECT {COLUMNS}, (
    SELECT role FROM team_members WHERE team_id = teams.id AND user_id = $2
) AS my_role
FROM teams {LIVING} WHERE teams.id = $1
"""  # noqa: S608 - only our own lists of columns are put in

ROLES_IN = "SELECT team_id, role FROM team_members WHERE user_id = $1 AND team_id = ANY($2)"

LOCK = "SELECT id FROM teams WHERE id = $1 FOR NO KEY UPDATE"

# Whoever is about to refer to it goes first: what they wrote is seen then.
LOCK_OUT = "SELECT id FROM teams WHERE id = $1 FOR UPDATE"

# Two teams that swap their names at once would wait for each other.
LOCK_NAMES = "SELECT pg_advisory_xact_lock(4827160097)"

LOCK_MEMBERS = """
SELECT users.id FROM users JOIN team_members ON team_members.user_id = users.id
WHERE team_members.team_id = $1
ORDER BY users.id FOR NO KEY UPDATE OF users
"""

ADD = "INSERT INTO teams (id, name, description) VALUES ($1, $2, $3)"

CHANGE = """
UPDATE teams SET name = $2, description = $3, version = version + 1, updated_at = now()
WHERE id = $1
"""

# Left to the foreign key, content would change without its version telling.
REMOVE = """
WITH released AS (
    UPDATE content SET team_id = NULL, version = version + 1, updated_at = now()
    WHERE team_id = $1
)
DELETE FROM teams WHERE id = $1
"""

# A team made in the same transaction has been shown to nobody.
PUT_MEMBER = """
WITH counted AS (
    UPDATE teams SET version = version + 1, updated_at = now()
    WHERE id = $1 AND created_at < now()
)
INSERT INTO team_members (team_id, user_id, role) VALUES ($1, $2, $3)
ON CONFLICT (team_id, user_id) DO UPDATE SET role = excluded.role, updated_at = now()
"""

REMOVE_MEMBER = """
WITH counted AS (UPDATE teams SET version = version + 1, updated_at = now() WHERE id = $1)
DELETE FROM team_members WHERE team_id = $1 AND user_id = $2
"""


class Teams:
    """Teams and their members."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        # Whether this transaction changed what web processes remember of somebody.
        self.revoked = False

    async def manages(self, manager_id: UUID, user_id: UUID) -> bool:
        """Say whether a person is in a team that the other one manages."""
        return bool(await self._connection.fetchval(MANAGES, manager_id, user_id))

    async def by_id(self, team_id: UUID, *, reader: UUID) -> Team:
        """Return a team, or raise TeamNotFound."""
        row = await self._connection.fetchrow(BY_ID, team_id, reader)
        if row is None:
            raise TeamNotFound
        return Team(**row)

    async def page(self, window: Window, *, reader: UUID) -> Page[Team]:
        """Return a part of the list of teams.

        Filters: `member` and `reader`, each by id, both of whom are in the team.
        """
        page = await fetch_page(self._connection, LIST, window, dict)
        ids = [item["id"] for item in page.items]
        roles = dict(await self._connection.fetch(ROLES_IN, reader, ids))
        teams = [Team(**item, my_role=roles.get(item["id"])) for item in page.items]
        return replace(page, items=teams)

    async def lock(self, team_id: UUID) -> bool:
        """Let one transaction at a time change a team; False when there is none."""
        return await self._connection.fetchval(LOCK, team_id) is not None

    async def lock_out(self, team_id: UUID) -> None:
        """Let nobody refer to a team, and wait for those who do it now; before it is removed."""
        await self._connection.execute(LOCK_OUT, team_id)

    async def lock_names(self) -> None:
        """Let one transaction at a time name teams; before the team is locked."""
        await self._connection.execute(LOCK_NAMES)

    async def lock_members(self, team_id: UUID) -> None:
        """Lock everybody in a team, in the one order."""
        await self._connection.execute(LOCK_MEMBERS, team_id)

    async def add(self, *, name: str, description: str) -> UUID:
        """Insert a team, return the id; raise TeamNameTaken."""
        team_id = new_id()
        try:
            await self._connection.execute(ADD, team_id, name, description)
        except asyncpg.UniqueViolationError as error:
            raise TeamNameTaken from error
        return team_id

    async def change(self, team_id: UUID, *, name: str, description: str) -> None:
        """Write a team anew; raise TeamNameTaken."""
        try:
            await self._connection.execute(CHANGE, team_id, name, description)
        except asyncpg.UniqueViolationError as error:
            raise TeamNameTaken from error

    async def remove(self, team_id: UUID) -> None:
        """Delete a team; people and content stay, without it. Lock it and them before."""
        self.revoked = True
        await self._connection.execute(REMOVE, team_id)

    async def member(self, team_id: UUID, user_id: UUID) -> Member | None:
        """Return somebody living who is in a team, None when they are not."""
        row = await self._connection.fetchrow(MEMBER, team_id, user_id)
        return Member(**row) if row else None

    async def members(self, team_id: UUID, window: Window) -> Page[Member]:
        """Return a part of who is in a team; filter: `role`."""
        return await fetch_members(self._connection, team_id, window)

    async def put_member(self, team_id: UUID, user_id: UUID, role: TeamRole) -> None:
        """Make somebody a member, or a member something else; lock both before."""
        self.revoked = True
        await self._connection.execute(PUT_MEMBER, team_id, user_id, role)

    async def remove_member(self, team_id: UUID, user_id: UUID) -> None:
        """Take a member out of a team; lock both before."""
        self.revoked = True
        await self._connection.execute(REMOVE_MEMBER, team_id, user_id)
