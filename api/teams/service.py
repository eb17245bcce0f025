"""Rules of teams."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from api.context import Call, Principal
from api.problems import Forbidden
from api.teams.membership import place
from api.teams.reach import changed, made, seen
from ops.errors import Detail, Kind, Problem
from ops.metrics import Metrics
from storage.database import Database
from storage.pages import Page, Window
from storage.repositories import Storage
from storage.roles import Permission
from storage.teams import Team, TeamRole
from storage.users import UserNotFound


class UnknownManager(Problem, kind=Kind.UNPROCESSABLE, code="UNPROCESSABLE_ENTITY"):
    """The team cannot be managed by somebody who is not there. Name another user."""

    def __init__(self) -> None:
        super().__init__(details=[Detail("managerId", "There is no such user.")])


class TeamHasContent(Problem, kind=Kind.CONFLICT, code="CONFLICT"):
    """The team has too much content to be let go at once. Move or delete some of it first."""


# Bytes of searched text that are written anew within a second or two.
_LET_GO_AT_ONCE = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTeam:
    """A team to create; None: whoever creates it manages it."""

    name: str
    description: str = ""
    manager_id: UUID | None = None


class TeamService:
    """Shows, creates, changes and deletes teams."""

    def __init__(self, *, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics

    async def page(self, window: Window, principal: Principal) -> Page[Team]:
        """List teams: every one, or those the caller is in."""
        filters = dict(window.filters)
        if not principal.may(Permission.TEAMS_READ):
            filters["reader"] = principal.user_id
        async with self._database.reading() as storage:
            return await storage.teams.page(
                replace(window, filters=filters), reader=principal.user_id
            )

    async def get(self, team_id: UUID, principal: Principal) -> Team:
        """Return a team; raise TeamNotFound."""
        async with self._database.reading() as storage:
            return await seen(storage, principal, team_id)

    async def create(self, new: NewTeam, principal: Principal, call: Call) -> Team:
        """Create a team with its manager.

        Raises TeamNameTaken; Forbidden for another manager than oneself without teams:manage, and
        for one of a higher role; UnknownManager.
        """
        if call.claim and call.claim.result:
            async with self._database.reading() as storage:
                return await made(storage, principal, UUID(call.claim.result["id"]))
        manager_id = new.manager_id or principal.user_id
        if manager_id != principal.user_id and not principal.may(Permission.TEAMS_MANAGE):
            raise Forbidden("Your roles do not permit to create teams for others.")
        async with self._database.transaction(call.actor) as storage:
            await storage.teams.lock_names()
            team_id = await storage.teams.add(name=new.name, description=new.description)
            await storage.audit.note("team.created", subject=team_id, team=str(team_id))
            await _appoint(storage, principal, team_id, manager_id)
            await storage.idempotency.keep({"id": team_id})
            team = await storage.teams.by_id(team_id, reader=principal.user_id)
        self._metrics.team_changes.labels("created").inc()
        return team

    async def change(
        self, team_id: UUID, changes: Mapping[str, Any], principal: Principal, call: Call
    ) -> Team:
        """Change what of a team differs from `changes`; without a difference nothing happens.

        Raises TeamNotFound, Forbidden, PreconditionFailed, TeamNameTaken.
        """
        async with self._database.transaction(call.actor) as storage:
            if "name" in changes:
                await storage.teams.lock_names()
            team = await changed(storage, principal, team_id, call)
            names = sorted(name for name in changes if changes[name] != getattr(team, name))
            if not names:
                return team
            now = {"name": team.name, "description": team.description, **changes}
            await storage.teams.change(team_id, **now)
            await storage.audit.note(
                "team.changed", subject=team_id, team=str(team_id), fields=",".join(names)
            )
            team = await storage.teams.by_id(team_id, reader=principal.user_id)
        self._metrics.team_changes.labels("changed").inc()
        return team

    async def delete(self, team_id: UUID, principal: Principal, call: Call) -> None:
        """Delete a team; who was in it and what it had stay.

        Raises TeamNotFound, Forbidden, PreconditionFailed, TeamHasContent.
        """
        async with self._database.transaction(call.actor) as storage:
            team = await changed(storage, principal, team_id, call)
            await storage.teams.lock_out(team_id)
            if await storage.content.searched_of_team(team_id) > _LET_GO_AT_ONCE:
                raise TeamHasContent
            await storage.teams.lock_members(team_id)
            await storage.teams.remove(team_id)
            await storage.audit.note(
                "team.deleted", subject=team_id, team=str(team_id), members=team.member_count
            )
        self._metrics.team_changes.labels("deleted").inc()


async def _appoint(storage: Storage, principal: Principal, team_id: UUID, manager_id: UUID) -> None:
    """Make the first manager of a team; raise UnknownManager or Forbidden."""
    team = await storage.teams.by_id(team_id, reader=principal.user_id)
    try:
        await place(storage, principal, team, manager_id, TeamRole.MANAGER)
    except UserNotFound as error:
        raise UnknownManager from error
