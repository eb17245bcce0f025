"""Endpoints of profiles."""

from aiohttp import web

from api.access import Needs, principal_of
from api.context import CALL
from api.profiles.schemas import ProfileContentSchema, ProfileSchema
from api.profiles.service import ProfileService, Unreadable
from api.routing import BASE, Routes
from api.users.reach import user_id_of
from storage.profiles import Profile, ProfileContent
from storage.roles import Permission
from storage.users import UserNotFound

PROFILES = web.AppKey("profiles", ProfileService)

routes = Routes(f"{BASE}/users", tag="Profiles", aliases=("/api/users",))


@routes.add(
    "GET",
    "/{id}/profile",
    access=Needs(Permission.USERS_READ, own=Permission.USERS_READ_OWN),
    gives=ProfileSchema(),
    problems=(UserNotFound,),
    versioned=True,
)
async def get_profile(request: web.Request) -> Profile:
    """Get what somebody tells of themselves.

    `me` in place of an id is the caller. Whoever never wrote a profile has an empty one. Looking at
    somebody else's is written into the audit trail.
    """
    principal = principal_of(request)
    user_id = user_id_of(request.match_info["id"], principal)
    return await request.app[PROFILES].of_user(user_id, principal, request[CALL])


@routes.add(
    "PUT",
    "/{id}/profile",
    access=Needs(
        Permission.USERS_UPDATE,
        own=Permission.USERS_UPDATE_OWN,
        team=Permission.USERS_UPDATE_TEAM,
    ),
    takes=ProfileContentSchema(),
    gives=ProfileSchema(),
    problems=(UserNotFound, Unreadable),
    versioned=True,
)
async def replace_profile(request: web.Request, body: ProfileContent) -> Profile:
    """Replace what somebody tells of themselves.

    What is left out becomes empty. Phone numbers are kept as E.164: spaces, dashes, dots and
    brackets go, a leading 00 becomes +. `avatar` is another name of `profilePicture`.
    """
    principal = principal_of(request)
    user_id = user_id_of(request.match_info["id"], principal)
    return await request.app[PROFILES].replace(user_id, body, principal, request[CALL])
