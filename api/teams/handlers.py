"""Endpoints of teams."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

from aiohttp import web

from api.access import Needs, SignedIn, principal_of
from api.context import CALL
from api.envelope import Answer
from api.ids import id_of
from api.problems import Forbidden
from api.routing import BASE, Routes
from api.teams.membership import MemberNotFound, MembershipService, Placement, TeamFull
from api.teams.schemas import (
    MEMBER_LISTS,
    TEAM_LISTS,
    MemberSchema,
    NewTeamSchema,
    PlacementSchema,
    TeamChangeSchema,
    TeamSchema,
)
from api.teams.service import NewTeam, TeamHasContent, TeamService, UnknownManager
from api.users.reach import user_id_of
from storage.pages import Page, Window
from storage.roles import Permission
from storage.teams import Member, Team, TeamNameTaken, TeamNotFound
from storage.users import UserNotFound

TEAMS = web.AppKey("teams", TeamService)
MEMBERSHIPS = web.AppKey("memberships", MembershipService)

routes = Routes(f"{BASE}/teams", tag="Teams", aliases=("/api/teams",))

_READS = Needs(Permission.TEAMS_READ, own=Permission.TEAMS_READ_OWN)
_CHANGES = Needs(Permission.TEAMS_MANAGE, own=Permission.TEAMS_MANAGE_OWN)


@routes.add("GET", "", access=_READS, gives=TeamSchema(many=True), lists=TEAM_LISTS)
async def list_teams(request: web.Request, window: Window) -> Page[Team]:
    """List teams.

    With the permission `teams:read` every team, else those you are in. `search` looks at names,
    `filter[member]` finds the teams of one user.
    """
    return await request.app[TEAMS].page(window, principal_of(request))


@routes.add(
    "POST",
    "",
    access=Needs(Permission.TEAMS_CREATE),
    takes=NewTeamSchema(),
    gives=TeamSchema(),
    status=HTTPStatus.CREATED,
    problems=(TeamNameTaken, UnknownManager, TeamNotFound),
    idempotent=True,
    versioned=True,
)
async def create_team(request: web.Request, body: NewTeam) -> Answer:
    """Create a team.

    You manage it, unless `managerId` names somebody else (permission `teams:manage`). No two teams
    have the same name, whatever its case. `Location` says where the team is found.
    """
    team = await request.app[TEAMS].create(body, principal_of(request), request[CALL])
    return Answer(data=team, location=f"{routes.prefix}/{team.id}")


@routes.add(
    "GET", "/{id}", access=_READS, gives=TeamSchema(), problems=(TeamNotFound,), versioned=True
)
async def get_team(request: web.Request) -> Team:
    """Get a team, and what you are in it.

    The ETag changes with the team and with its members.
    """
    return await request.app[TEAMS].get(_team_id(request), principal_of(request))


@routes.add(
    "PATCH",
    "/{id}",
    access=_CHANGES,
    takes=TeamChangeSchema(partial=True),
    gives=TeamSchema(),
    problems=(TeamNotFound, TeamNameTaken),
    versioned=True,
)
async def change_team(request: web.Request, body: Mapping[str, Any]) -> Team:
    """Change a team's name or description.

    Its managers do, if their roles permit `teams:manage_own`; with `teams:manage` every team.
    """
    return await request.app[TEAMS].change(
        _team_id(request), body, principal_of(request), request[CALL]
    )


@routes.add(
    "DELETE",
    "/{id}",
    access=_CHANGES,
    problems=(TeamNotFound, TeamHasContent),
    versioned=True,
)
async def delete_team(request: web.Request) -> Answer:
    """Delete a team.

    Its members stay users, its content stays with its owners: of more than 500 kB of it some has to
    be moved or deleted before.
    """
    await request.app[TEAMS].delete(_team_id(request), principal_of(request), request[CALL])
    return Answer(message="Team deleted")


@routes.add(
    "GET",
    "/{id}/members",
    access=_READS,
    gives=MemberSchema(many=True),
    lists=MEMBER_LISTS,
    problems=(TeamNotFound,),
)
async def list_team_members(request: web.Request, window: Window) -> Page[Member]:
    """List who is in a team.

    Everybody who sees the team sees its members. `search` looks at addresses and names. The audit
    trail notes who listed how many.
    """
    return await request.app[MEMBERSHIPS].page(
        _team_id(request), window, principal_of(request), request[CALL]
    )


@routes.add(
    "PUT",
    "/{id}/members/{userId}",
    access=_CHANGES,
    takes=PlacementSchema(),
    body_optional=True,
    gives=MemberSchema(),
    problems=(TeamNotFound, UserNotFound, TeamFull),
    versioned=True,
)
async def put_team_member(request: web.Request, body: Placement) -> Member:
    """Put a user into a team, or make a member a manager and back.

    A second time nothing happens. A team's managers add those whose highest role is below their
    own; nobody changes the place of somebody who stands higher. The ETag is of the team's version:
    send it as If-Match with the next change.
    """
    principal = principal_of(request)
    user_id = user_id_of(request.match_info["userId"], principal)
    return await request.app[MEMBERSHIPS].put(
        _team_id(request), user_id, body, principal, request[CALL]
    )


@routes.add(
    "DELETE",
    "/{id}/members/{userId}",
    access=SignedIn(),
    problems=(TeamNotFound, MemberNotFound, UserNotFound, Forbidden),
    versioned=True,
)
async def remove_team_member(request: web.Request) -> Answer:
    """Take a user out of a team, or leave it.

    Everybody may leave (`/members/me`), the last manager too. Managers take out whose highest role
    is not above their own. If-Match takes the ETag of the team.
    """
    principal = principal_of(request)
    user_id = user_id_of(request.match_info["userId"], principal)
    await request.app[MEMBERSHIPS].remove(_team_id(request), user_id, principal, request[CALL])
    return Answer(message="Member removed")


def _team_id(request: web.Request) -> UUID:
    return id_of(request.match_info["id"], TeamNotFound)
