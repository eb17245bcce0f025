"""Which people a caller may see, and which they may change (document 003, section 9.3).

Whoever may not be seen is answered like nobody: 404. Whoever may be seen but not changed: 403.
"""

from uuid import UUID

from api.context import Principal
from api.ids import id_of
from api.problems import Forbidden
from storage.repositories import Storage
from storage.roles import Permission
from storage.users import User, UserNotFound


async def seen(storage: Storage, principal: Principal, user_id: UUID) -> User:
    """Return a living person the caller may see; raise UserNotFound."""
    check_sight(principal, user_id)
    return await storage.users.by_id(user_id)


def check_sight(principal: Principal, user_id: UUID) -> None:
    """Raise UserNotFound for whom the caller may not see, whether they are there or not."""
    own = user_id == principal.user_id and principal.may(Permission.USERS_READ_OWN)
    if not own and not principal.may(Permission.USERS_READ):
        raise UserNotFound


async def changed(storage: Storage, principal: Principal, user_id: UUID) -> User:
    """Lock and return a person the caller may change; raise UserNotFound or Forbidden.

    Nobody changes somebody whose highest role is above theirs, and managers only who is in a team
    of theirs.
    """
    check_sight(principal, user_id)
    if not await storage.credentials.lock(user_id):
        raise UserNotFound
    user = await storage.users.by_id(user_id)
    if user_id == principal.user_id and principal.may(Permission.USERS_UPDATE_OWN):
        return user
    check_rank(principal, user.rank)
    if principal.may(Permission.USERS_UPDATE):
        return user
    by_team = principal.may(Permission.USERS_UPDATE_TEAM)
    if by_team and await storage.teams.manages(principal.user_id, user_id):
        return user
    raise Forbidden("Your roles do not permit to change this user.")


def check_rank(principal: Principal, rank: int) -> None:
    """Raise Forbidden for what stands above the caller's own highest role."""
    if rank > principal.user.rank:
        raise Forbidden("Only somebody of the same or a higher role may do that.")


def user_id_of(text: str, principal: Principal) -> UUID:
    """Read an id out of a path, `me` being the caller's; raise UserNotFound for what is none."""
    if text == "me":
        return principal.user_id
    return id_of(text, UserNotFound)
