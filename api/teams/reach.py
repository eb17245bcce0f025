"""Which teams a caller may see, and which they may change.

A team that may not be seen is answered like none: 404. One that may be seen but not changed: 403.
Who only manages their own teams must be `manager` in the team, and have a role that permits it.
"""

from uuid import UUID

from api.context import Call, Principal
from api.problems import Forbidden
from storage.repositories import Storage
from storage.roles import Permission
from storage.teams import Team, TeamNotFound, TeamRole


async def seen(storage: Storage, principal: Principal, team_id: UUID) -> Team:
    """Return a team the caller may see; raise TeamNotFound."""
    team = await storage.teams.by_id(team_id, reader=principal.user_id)
    if not _sees(principal, team):
        raise TeamNotFound
    return team


async def made(storage: Storage, principal: Principal, team_id: UUID) -> Team:
    """Return a team to who made it and is still in it, may see it or change it; TeamNotFound."""
    team = await storage.teams.by_id(team_id, reader=principal.user_id)
    if team.my_role is None and not _sees(principal, team) and not _changes(principal, team):
        raise TeamNotFound
    return team


async def changed(storage: Storage, principal: Principal, team_id: UUID, call: Call) -> Team:
    """Lock and return a team the caller may change.

    Raises TeamNotFound, Forbidden, PreconditionFailed.
    """
    team = await _locked(storage, principal, team_id)
    if not _changes(principal, team):
        if _sees(principal, team):
            raise Forbidden("Only its managers may do that, if their roles permit it.")
        raise TeamNotFound
    call.check_version(team.version)
    return team


async def left(storage: Storage, principal: Principal, team_id: UUID, call: Call) -> Team:
    """Lock and return a team for somebody to leave: to be in it is all it takes.

    Raises TeamNotFound for a team that is neither theirs nor to be seen, PreconditionFailed.
    """
    team = await _locked(storage, principal, team_id)
    if team.my_role is None and not _sees(principal, team):
        raise TeamNotFound
    call.check_version(team.version)
    return team


async def _locked(storage: Storage, principal: Principal, team_id: UUID) -> Team:
    if not await storage.teams.lock(team_id):
        raise TeamNotFound
    return await storage.teams.by_id(team_id, reader=principal.user_id)


def _sees(principal: Principal, team: Team) -> bool:
    own = team.my_role is not None and principal.may(Permission.TEAMS_READ_OWN)
    return own or principal.may(Permission.TEAMS_READ)


def _changes(principal: Principal, team: Team) -> bool:
    own = team.my_role == TeamRole.MANAGER and principal.may(Permission.TEAMS_MANAGE_OWN)
    return own or principal.may(Permission.TEAMS_MANAGE)
