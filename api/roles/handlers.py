"""Endpoints of roles."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

from aiohttp import web

from api.access import Needs, principal_of
from api.context import CALL, Principal
from api.envelope import Answer
from api.paging import Lists
from api.roles.rules import AdminKeepsAll, BuiltInFixed, RoleInUse
from api.roles.schemas import (
    HeldRolesSchema,
    NewRoleSchema,
    PermissionSchema,
    RoleChangeSchema,
    RoleSchema,
)
from api.roles.service import NewRole, RoleService
from api.routing import BASE, Routes
from api.users.closing import LastAdmin
from api.users.reach import user_id_of
from storage.pages import Page, Window
from storage.roles import CataloguedPermission, Permission, Role, RoleNameTaken, RoleNotFound
from storage.users import User, UserNotFound

ROLES = web.AppKey("roles", RoleService)

routes = Routes(f"{BASE}", tag="Roles", aliases=("/api",))

_READ = Needs(Permission.ROLES_READ)
_WRITE = Needs(Permission.ROLES_WRITE, verified=True)
_ASSIGN = Needs(Permission.ROLES_ASSIGN, verified=True)
_OF_CHANGES = (RoleNotFound, RoleNameTaken, BuiltInFixed, AdminKeepsAll)


@routes.add("GET", "/permissions", access=_READ, gives=PermissionSchema(many=True))
async def list_permissions(request: web.Request) -> list[CataloguedPermission]:
    """List every permission a role can have.

    The names are fixed: they are what endpoints ask for. `own` ends at what is one's own.
    """
    return await request.app[ROLES].catalogue()


@routes.add(
    "GET",
    "/roles",
    access=_READ,
    gives=RoleSchema(many=True),
    lists=Lists(sorts=("createdAt", "name", "rank"), searched=False),
)
async def list_roles(request: web.Request, window: Window) -> Page[Role]:
    """List roles.

    `sort=rank` begins with the highest. Who has a role is told by `GET /users?filter[role]=`.
    """
    return await request.app[ROLES].page(window)


@routes.add(
    "POST",
    "/roles",
    access=_WRITE,
    takes=NewRoleSchema(),
    gives=RoleSchema(),
    status=HTTPStatus.CREATED,
    problems=(RoleNameTaken, RoleNotFound),
    idempotent=True,
    versioned=True,
)
async def create_role(request: web.Request, body: NewRole) -> Answer:
    """Create a role.

    Nobody gives a role a permission they do not have themselves, nor a rank above their own.
    `Location` says where the role is found.
    """
    role = await request.app[ROLES].create(body, principal_of(request), request[CALL])
    return Answer(data=role, location=f"{BASE}/roles/{role.id}")


@routes.add(
    "GET",
    "/roles/{id}",
    access=_READ,
    gives=RoleSchema(),
    problems=(RoleNotFound,),
    versioned=True,
)
async def get_role(request: web.Request) -> Role:
    """Get a role by id or name."""
    return await request.app[ROLES].get(request.match_info["id"])


@routes.add(
    "PUT",
    "/roles/{id}",
    access=_WRITE,
    takes=RoleChangeSchema(),
    gives=RoleSchema(),
    problems=_OF_CHANGES,
    versioned=True,
)
async def replace_role(request: web.Request, body: Mapping[str, Any]) -> Role:
    """Replace what a role is and permits.

    Whoever has the role feels it within a second. Of a built-in role only the description and the
    permissions change, and `admin` keeps every permission. Nobody adds a permission they do not
    have themselves, or changes a role above their own.
    """
    return await _changed(request, body)


@routes.add(
    "PATCH",
    "/roles/{id}",
    access=_WRITE,
    takes=RoleChangeSchema(partial=True),
    gives=RoleSchema(),
    problems=_OF_CHANGES,
    versioned=True,
)
async def change_role(request: web.Request, body: Mapping[str, Any]) -> Role:
    """Change some of what a role is or permits.

    `permissions` are replaced as a whole (RFC 7396). The rules are those of PUT.
    """
    return await _changed(request, body)


@routes.add(
    "DELETE",
    "/roles/{id}",
    access=_WRITE,
    problems=(RoleNotFound, BuiltInFixed, RoleInUse),
    versioned=True,
)
async def delete_role(request: web.Request) -> Answer:
    """Delete a role that nobody has; built-in roles stay."""
    await request.app[ROLES].remove(request.match_info["id"], principal_of(request), request[CALL])
    return Answer(message="Role deleted")


@routes.add(
    "PUT",
    "/users/{id}/roles/{role}",
    access=_ASSIGN,
    gives=HeldRolesSchema(),
    problems=(UserNotFound, RoleNotFound),
    versioned=True,
)
async def give_role(request: web.Request) -> User:
    """Give a user a role, by its id or name.

    A second time nothing happens. Nobody gives a role that permits what theirs do not, or that is
    above their own, nor changes the roles of somebody who stands higher.
    """
    user_id, role, principal = _of(request)
    return await request.app[ROLES].give(user_id, role, principal, request[CALL])


@routes.add(
    "DELETE",
    "/users/{id}/roles/{role}",
    access=_ASSIGN,
    gives=HeldRolesSchema(),
    problems=(UserNotFound, RoleNotFound, LastAdmin),
    versioned=True,
)
async def take_role(request: web.Request) -> User:
    """Take a role away from a user, by its id or name.

    A second time nothing happens. Who has no role left is a guest. The last active administrator
    stays one.
    """
    user_id, role, principal = _of(request)
    return await request.app[ROLES].take(user_id, role, principal, request[CALL])


async def _changed(request: web.Request, body: Mapping[str, Any]) -> Role:
    return await request.app[ROLES].change(
        request.match_info["id"], body, principal_of(request), request[CALL]
    )


def _of(request: web.Request) -> tuple[UUID, str, Principal]:
    principal = principal_of(request)
    user_id = user_id_of(request.match_info["id"], principal)
    return user_id, request.match_info["role"], principal
