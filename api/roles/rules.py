"""What nobody may do with roles: give what they do not have, or lock everybody out."""

from collections.abc import Collection
from dataclasses import replace

from api.context import Principal
from api.problems import Forbidden, InvalidToken
from ops.errors import Detail, Kind, Problem
from storage.repositories import Storage
from storage.roles import Permission, Role


class BuiltInFixed(Problem, kind=Kind.UNPROCESSABLE, code="UNPROCESSABLE_ENTITY"):
    """Built-in roles stay, under their name and rank. Make a role of your own instead."""


class AdminKeepsAll(Problem, kind=Kind.UNPROCESSABLE, code="UNPROCESSABLE_ENTITY"):
    """The role admin keeps every permission: somebody must be able to undo every mistake."""

    def __init__(self) -> None:
        super().__init__(details=[Detail("permissions", "Leave out none.")])


class RoleInUse(Problem, kind=Kind.CONFLICT, code="CONFLICT"):
    """Users have this role. Take it away from them first."""


async def standing(storage: Storage, principal: Principal, needed: Permission) -> Principal:
    """Return the caller as they are while nobody else gives, takes or changes a role.

    Two who take each other's role away at once would else both succeed. Takes the lock, so no lock
    on a row may be held. Raises InvalidToken or Forbidden for who lost their right meanwhile.
    """
    await storage.roles.lock_admins()
    holder = await storage.holders.by_session(principal.session_id)
    if holder is None:
        raise InvalidToken
    now = replace(principal, user=holder.user, permissions=holder.permissions)
    if not now.may(needed):
        raise Forbidden
    return now


def check_rank_of(principal: Principal, rank: int) -> None:
    """Raise Forbidden for a role that stands above the caller's own highest one."""
    if rank > principal.user.rank:
        raise Forbidden(
            f"Your highest role has rank {principal.user.rank}; this one would need {rank}.",
            details=[Detail("rank", f"{principal.user.rank} at most.")],
        )


def check_permissions(principal: Principal, given: Collection[str]) -> None:
    """Raise Forbidden for permissions the caller would give and does not have."""
    if missing := sorted(set(given) - principal.permissions):
        raise Forbidden(
            f"Nobody gives what they do not have: {', '.join(missing)}.",
            details=[Detail("permissions", f"You do not have {name}.") for name in missing],
        )


def check_giving(principal: Principal, role: Role) -> None:
    """Raise Forbidden unless the caller may give somebody this role."""
    check_rank_of(principal, role.rank)
    check_permissions(principal, role.permissions)
