"""Endpoints of sessions."""

from typing import Any

from aiohttp import web

from api.access import Public, SignedIn, principal_of
from api.auth.transport import TRANSPORT, TRANSPORT_HEADERS, ForeignOrigin
from api.context import CALL
from api.envelope import Answer
from api.ids import id_of
from api.limits import TooMany
from api.problems import Invalid, InvalidToken, Unauthorized
from api.routing import BASE, MIRRORED, Routes
from api.sessions.schemas import RefreshSchema, SessionSchema, TokensSchema
from api.sessions.service import Refresh, SessionNotFound, SessionService
from api.sessions.shown import shown

SESSIONS = web.AppKey("sessions", SessionService)

routes = Routes(f"{BASE}/auth", tag="Sessions", aliases=("/api/auth", "/auth"))


@routes.add(
    "POST",
    "/refresh",
    access=Public(),
    takes=RefreshSchema(),
    body_optional=True,
    gives=TokensSchema(),
    headers=TRANSPORT_HEADERS,
    problems=(InvalidToken, ForeignOrigin, TooMany),
    limited=False,
    mirrored=MIRRORED,
)
async def refresh(request: web.Request, body: Refresh) -> Answer:
    """Get a new access token with a refresh token.

    The refresh token is rotated: keep the new one. The one before it gets the same pair again, so
    that a lost answer or two tabs at once log nobody out; an older one ends the session. With
    `X-Auth-Transport: cookie` the token comes from its cookie and goes back there; no body needed.
    Counted per session.
    """
    sessions = request.app[SESSIONS]
    claims = sessions.read(_refresh_token(request, body))
    decision = await sessions.limit(claims)
    if decision:
        request[CALL].decision = decision
        decision.raise_if_refused()
    pair = await sessions.refresh(claims, request[CALL])
    return request.app[TRANSPORT].hand_over(request, Answer(data=pair))


@routes.add(
    "POST",
    "/logout",
    access=Public(by_caller=True),
    headers=TRANSPORT_HEADERS,
    problems=(Unauthorized, InvalidToken, ForeignOrigin),
)
async def logout(request: web.Request) -> Answer:
    """End the session of the access token, or of the cookie with `X-Auth-Transport: cookie`."""
    transport, sessions = request.app[TRANSPORT], request.app[SESSIONS]
    by_cookie = transport.is_chosen(request)
    if by_cookie and (token := transport.refresh_token(request)):
        await sessions.logout(sessions.read(token).session_id, request[CALL])
    else:
        await sessions.logout(principal_of(request).session_id, request[CALL])
    return transport.take_back(request, Answer(message="Logged out successfully"))


@routes.add(
    "POST",
    "/logout-all",
    access=SignedIn(),
    headers=TRANSPORT_HEADERS,
    problems=(ForeignOrigin,),
)
async def logout_all(request: web.Request) -> Answer:
    """End every session of the signed-in user, this one too."""
    transport = request.app[TRANSPORT]
    transport.is_chosen(request)  # a foreign page is refused before anything is done
    count = await request.app[SESSIONS].logout_all(principal_of(request), request[CALL])
    return transport.take_back(request, Answer(message=f"Logged out of {count} sessions"))


@routes.add("GET", "/sessions", access=SignedIn(), gives=SessionSchema(many=True))
async def list_sessions(request: web.Request) -> list[dict[str, Any]]:
    """List the live sessions of the signed-in user, the last used first."""
    principal = principal_of(request)
    found = await request.app[SESSIONS].of_user(principal)
    return await shown(found, current=principal.session_id)


@routes.add("DELETE", "/sessions/{id}", access=SignedIn(), problems=(SessionNotFound, InvalidToken))
async def end_session(request: web.Request) -> Answer:
    """End one session of the signed-in user, on every device that uses it."""
    session_id = id_of(request.match_info["id"], SessionNotFound)
    await request.app[SESSIONS].end(session_id, principal_of(request), request[CALL])
    return Answer(message="Session ended")


@routes.add("DELETE", "/sessions", access=SignedIn(), problems=(InvalidToken,))
async def end_other_sessions(request: web.Request) -> Answer:
    """End every session of the signed-in user but this one."""
    count = await request.app[SESSIONS].end_others(principal_of(request), request[CALL])
    return Answer(message=f"Ended {count} other sessions")


def _refresh_token(request: web.Request, body: Refresh) -> str:
    transport = request.app[TRANSPORT]
    if not transport.is_chosen(request):
        if not body.refresh_token:
            raise Invalid.field("refreshToken", "Missing data for required field.")
        return body.refresh_token
    if body.refresh_token:
        raise Invalid.field("refreshToken", "Send it in the body or in the cookie, not both.")
    return transport.refresh_token(request)
