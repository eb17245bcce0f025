"""Endpoints of sessions."""

from aiohttp import web

from api.access import Public, SignedIn, principal_of
from api.auth.tokens import Pair
from api.context import CALL
from api.envelope import Answer
from api.problems import InvalidToken
from api.routing import BASE, MIRRORED, Routes
from api.sessions.schemas import RefreshSchema, TokensSchema
from api.sessions.service import Refresh, SessionService

SESSIONS = web.AppKey("sessions", SessionService)

routes = Routes(f"{BASE}/auth", tag="Sessions", aliases=("/api/auth", "/auth"))


@routes.add(
    "POST",
    "/refresh",
    access=Public(),
    takes=RefreshSchema(),
    gives=TokensSchema(),
    problems=(InvalidToken,),
    mirrored=MIRRORED,
)
async def refresh(request: web.Request, body: Refresh) -> Pair:
    """Get a new access token with a refresh token.

    The refresh token is rotated: keep the new one. The one before it gets the same pair again, so
    that a lost answer or two tabs at once log nobody out; an older one ends the session.
    """
    return await request.app[SESSIONS].refresh(body, request[CALL])


@routes.add("POST", "/logout", access=SignedIn())
async def logout(request: web.Request) -> Answer:
    """End the session of the access token."""
    await request.app[SESSIONS].logout(principal_of(request), request[CALL])
    return Answer(message="Logged out successfully")


@routes.add("POST", "/logout-all", access=SignedIn())
async def logout_all(request: web.Request) -> Answer:
    """End every session of the signed-in user, this one too."""
    count = await request.app[SESSIONS].logout_all(principal_of(request), request[CALL])
    return Answer(message=f"Logged out of {count} sessions")
