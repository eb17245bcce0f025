"""Endpoints of other people's sessions, for those who look after them."""

from typing import Any

from aiohttp import web

from api.access import Needs, principal_of
from api.context import CALL
from api.envelope import Answer
from api.routing import BASE, Routes
from api.sessions.oversight import SessionOversight
from api.sessions.schemas import SessionSchema
from api.sessions.shown import shown
from api.users.reach import user_id_of
from storage.roles import Permission
from storage.users import UserNotFound

OVERSIGHT = web.AppKey("oversight", SessionOversight)

routes = Routes(f"{BASE}/users", tag="Sessions", aliases=("/api/users",))


@routes.add(
    "GET",
    "/{id}/sessions",
    access=Needs(Permission.SESSIONS_READ, own=Permission.USERS_READ_OWN),
    gives=SessionSchema(many=True),
    problems=(UserNotFound,),
)
async def list_sessions_of_user(request: web.Request) -> list[dict[str, Any]]:
    """List the live sessions of somebody, the last used first.

    `me` in place of an id is the caller. Sessions of somebody of a higher role are not shown.
    Looking at somebody else's is written into the audit trail.
    """
    principal = principal_of(request)
    user_id = user_id_of(request.match_info["id"], principal)
    found = await request.app[OVERSIGHT].of_user(user_id, principal, request[CALL])
    return await shown(found, current=principal.session_id)


@routes.add(
    "DELETE",
    "/{id}/sessions",
    access=Needs(Permission.USERS_UPDATE),
    problems=(UserNotFound,),
)
async def end_sessions_of_user(request: web.Request) -> Answer:
    """Sign somebody out everywhere.

    Their access and refresh tokens are refused within a second; they may sign in again, so suspend
    whom you want to keep out.
    """
    principal = principal_of(request)
    user_id = user_id_of(request.match_info["id"], principal)
    count = await request.app[OVERSIGHT].end_all(user_id, principal, request[CALL])
    return Answer(message=f"Ended {count} sessions")
