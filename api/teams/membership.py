"""Rules of who is in a team, and what they are in it."""

from dataclasses import dataclass
from uuid import UUID

from api.context import Call, Principal
from api.problems import Forbidden
from api.teams import reach
from api.users.reach import check_rank
from api.users.reach import seen as seen_user
from ops.errors import Kind, Problem
from ops.metrics import Metrics
from storage.database import Database
from storage.pages import Page, Window
from storage.repositories import Storage
from storage.roles import Permission
from storage.teams import MAX_MEMBERS, Member, Team, TeamRole
from storage.users import UserNotFound


class MemberNotFound(Problem, kind=Kind.NOT_FOUND, code="NOT_FOUND"):
    """This user is not in the team. GET its members to see who is."""


class TeamFull(Problem, kind=Kind.CONFLICT, code="CONFLICT"):
    """A team has at most 1,000 members. Remove some, or make another team."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What somebody is to be in a team."""

    role: str = TeamRole.MEMBER


class MembershipService:
    """Shows who is in teams, puts people in and takes them out."""

    def __init__(self, *, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics

    async def page(
        self, team_id: UUID, window: Window, principal: Principal, call: Call
    ) -> Page[Member]:
        """List who is in a team; raise TeamNotFound."""
        async with self._database.transaction(call.actor) as storage:
            await reach.seen(storage, principal, team_id)
            page = await storage.teams.members(team_id, window)
            await storage.audit.note(
                "team.members_listed", team=str(team_id), count=len(page.items)
            )
        return page

    async def put(
        self, team_id: UUID, user_id: UUID, placement: Placement, principal: Principal, call: Call
    ) -> Member:
        """Make somebody a member or a manager of a team; nothing happens if they are.

        Raises TeamNotFound, UserNotFound, Forbidden, PreconditionFailed, TeamFull.
        """
        async with self._database.transaction(call.actor) as storage:
            team = await reach.changed(storage, principal, team_id, call)
            role = TeamRole(placement.role)
            change = await place(storage, principal, team, user_id, role)
            member = await storage.teams.member(team_id, user_id)
        if member is None:
            raise UserNotFound
        if change:
            self._metrics.team_changes.labels(change).inc()
        return member

    async def remove(self, team_id: UUID, user_id: UUID, principal: Principal, call: Call) -> None:
        """Take somebody out of a team, or let them leave it.

        Raises TeamNotFound, MemberNotFound, Forbidden, PreconditionFailed.
        """
        leaving = user_id == principal.user_id
        find = reach.left if leaving else reach.changed
        async with self._database.transaction(call.actor) as storage:
            team = await find(storage, principal, team_id, call)
            in_it = await storage.teams.member(team.id, user_id)
            if in_it is None or not await storage.credentials.lock(user_id):
                raise MemberNotFound
            if not leaving:
                check_rank(principal, (await storage.users.by_id(user_id)).rank)
            await storage.teams.remove_member(team.id, user_id)
            await storage.audit.note(
                "team.member_removed", subject=user_id, team=str(team.id), left=leaving
            )
        self._metrics.team_changes.labels("member_removed").inc()


async def place(
    storage: Storage, principal: Principal, team: Team, user_id: UUID, role: TeamRole
) -> str | None:
    """Make somebody something in a locked team; return what changed, None for nothing.

    Raises UserNotFound, Forbidden, TeamFull. Who is in the team already is no secret to those who
    may change it; anybody else must be somebody the caller may see.
    """
    member = await storage.teams.member(team.id, user_id)
    if member and member.role == role:
        return None
    if member is None and user_id != principal.user_id:
        await seen_user(storage, principal, user_id)
    if not await storage.credentials.lock(user_id):
        raise UserNotFound
    rank = (await storage.users.by_id(user_id)).rank
    check_rank(principal, rank)
    if member is None:
        _check_addable(principal, team, user_id, rank)
    await storage.teams.put_member(team.id, user_id, role)
    change = "member_changed" if member else "member_added"
    await storage.audit.note(f"team.{change}", subject=user_id, team=str(team.id), role=role)
    return change


def _check_addable(principal: Principal, team: Team, user_id: UUID, rank: int) -> None:
    """Raise Forbidden for whom a manager of a team could get hold of by adding them; TeamFull."""
    oneself = user_id == principal.user_id
    everywhere = principal.may(Permission.TEAMS_MANAGE)
    if not oneself and not everywhere and rank >= principal.user.rank:
        raise Forbidden("Only somebody whose highest role is below yours can be added.")
    if team.member_count >= MAX_MEMBERS:
        raise TeamFull
