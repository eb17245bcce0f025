"""Endpoints of users."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

from aiohttp import web

from api.access import EmailNotVerified, Needs, principal_of, require_verified
from api.context import CALL
from api.envelope import Answer
from api.passwords.hasher import HasherBusy
from api.routing import BASE, Routes
from api.users.closing import LastAdmin
from api.users.reach import user_id_of
from api.users.schemas import (
    USER_LISTS,
    ManagedUserSchema,
    OwnUserSchema,
    UserReplacementSchema,
    UserToCreateSchema,
)
from api.users.service import AddressTaken, OwnAddress, UserService, UserToCreate
from api.users.standing import AddressInUse, NotOneself, StandingService
from storage.pages import Page, Window
from storage.roles import BuiltInRole, Permission
from storage.users import User, UserNotFound

USERS = web.AppKey("users", UserService)
STANDING = web.AppKey("standing", StandingService)

routes = Routes(f"{BASE}/users", tag="Users", aliases=("/api/users",))

_OWN = OwnUserSchema()
_READS = Needs(Permission.USERS_READ, own=Permission.USERS_READ_OWN)
_UPDATES = Needs(
    Permission.USERS_UPDATE, own=Permission.USERS_UPDATE_OWN, team=Permission.USERS_UPDATE_TEAM
)
_CHANGE_PROBLEMS = (UserNotFound, AddressTaken, OwnAddress)


@routes.add(
    "GET",
    "",
    access=Needs(Permission.USERS_READ),
    gives=ManagedUserSchema(many=True),
    lists=USER_LISTS,
)
async def list_users(request: web.Request, window: Window) -> Page[User]:
    """List users.

    `search` looks at addresses and names. The audit trail notes who listed how many.
    """
    return await request.app[USERS].page(window, principal_of(request), request[CALL])


@routes.add(
    "POST",
    "",
    access=Needs(Permission.USERS_CREATE),
    takes=UserToCreateSchema(),
    gives=ManagedUserSchema(),
    status=HTTPStatus.CREATED,
    problems=(AddressTaken, HasherBusy, EmailNotVerified),
    idempotent=True,
    versioned=True,
)
async def create_user(request: web.Request, body: UserToCreate) -> Answer:
    """Create a user.

    With a password they get the letter of a registration; without one a letter invites them to
    choose it, within seven days. Another role than `user` needs the permission `roles:assign` and a
    proved address of one's own, and none may permit more than one's own. `Location` says where the
    user is found.
    """
    if body.role != BuiltInRole.USER:
        require_verified(request)
    user = await request.app[USERS].create(body, principal_of(request), request[CALL])
    return Answer(data=user, location=f"{routes.prefix}/{user.id}")


@routes.add(
    "GET",
    "/{id}",
    access=_READS,
    gives=ManagedUserSchema(),
    problems=(UserNotFound,),
    versioned=True,
)
async def get_user(request: web.Request) -> Answer:
    """Get a user.

    `me` stands for one's own id. Who may see only themselves gets fewer fields, and 404 for every
    other id. Deleted users are there for who may delete users.
    """
    user = await request.app[USERS].get(_id(request), principal_of(request), request[CALL])
    return _shown(request, user)


@routes.add(
    "PUT",
    "/{id}",
    access=_UPDATES,
    takes=UserReplacementSchema(),
    gives=ManagedUserSchema(),
    problems=_CHANGE_PROBLEMS,
    versioned=True,
)
async def replace_user(request: web.Request, body: Mapping[str, Any]) -> Answer:
    """Replace a user's names, picture and locale.

    A picture that is left out is removed, a locale that is left out becomes `en`; `email` and
    `plan` stay what they are unless they are sent. Else as PATCH.
    """
    return await _changed(request, body)


@routes.add(
    "PATCH",
    "/{id}",
    access=_UPDATES,
    takes=UserReplacementSchema(partial=True),
    gives=ManagedUserSchema(),
    problems=_CHANGE_PROBLEMS,
    versioned=True,
)
async def change_user(request: web.Request, body: Mapping[str, Any]) -> Answer:
    """Change some fields of a user (JSON Merge Patch).

    Users change themselves, managers the members of their teams, administrators everybody; nobody
    somebody of a higher role. `avatar` is another name of `profilePicture`; null removes it. A new
    `email` is unverified until the letter there is answered; the old address is told.
    """
    return await _changed(request, body)


@routes.add(
    "DELETE",
    "/{id}",
    access=Needs(Permission.USERS_DELETE),
    problems=(UserNotFound, LastAdmin, NotOneself),
    versioned=True,
)
async def delete_user(request: web.Request) -> Answer:
    """Delete a user.

    Ends every session and frees the address; a letter tells the user. The account can be restored.
    One's own account is deleted at `DELETE /auth/me`.
    """
    await request.app[STANDING].delete(_id(request), principal_of(request), request[CALL])
    return Answer(message="User deleted")


@routes.add(
    "POST",
    "/{id}/restore",
    access=Needs(Permission.USERS_DELETE),
    gives=ManagedUserSchema(),
    problems=(UserNotFound, AddressInUse),
    versioned=True,
)
async def restore_user(request: web.Request) -> Answer:
    """Restore a deleted user.

    They sign in as before, unless somebody else lives under their address by now. Somebody who is
    not deleted stays as they are.
    """
    service, user_id = request.app[STANDING], _id(request)
    user = await service.restore(user_id, principal_of(request), request[CALL])
    return Answer(data=user, message="User restored")


@routes.add(
    "POST",
    "/{id}/suspend",
    access=Needs(Permission.USERS_UPDATE),
    gives=ManagedUserSchema(),
    problems=(UserNotFound, LastAdmin, NotOneself),
    versioned=True,
)
async def suspend_user(request: web.Request) -> Answer:
    """Suspend a user.

    Ends every session, within a second everywhere, and keeps them from signing in until they are
    activated; a letter tells them. Somebody who is suspended stays as they are.
    """
    service, user_id = request.app[STANDING], _id(request)
    user = await service.suspend(user_id, principal_of(request), request[CALL])
    return Answer(data=user, message="User suspended")


@routes.add(
    "POST",
    "/{id}/activate",
    access=Needs(Permission.USERS_UPDATE),
    gives=ManagedUserSchema(),
    problems=(UserNotFound,),
    versioned=True,
)
async def activate_user(request: web.Request) -> Answer:
    """Activate a suspended user.

    A letter tells them that they can sign in again. Somebody who is active stays as they are.
    """
    service, user_id = request.app[STANDING], _id(request)
    user = await service.activate(user_id, principal_of(request), request[CALL])
    return Answer(data=user, message="User activated")


async def _changed(request: web.Request, body: Mapping[str, Any]) -> Answer:
    service, principal = request.app[USERS], principal_of(request)
    return _shown(request, await service.change(_id(request), body, principal, request[CALL]))


def _id(request: web.Request) -> UUID:
    return user_id_of(request.match_info["id"], principal_of(request))


def _shown(request: web.Request, user: User) -> Answer:
    """Return the user as the caller may see them."""
    sees_all = principal_of(request).may(Permission.USERS_READ)
    return Answer(data=user, shown_as=None if sees_all else _OWN)
