"""Who may see the pages for administrators: who signed in at /ops/sign-in, or sends a token.

A browser's session is one like every other: listed, ended and revoked within a second. Its refresh
token is rotated here, so that reuse is found as at /auth/refresh.
"""

from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from api.auth.service import AuthService, Credentials
from api.auth.tokens import Pair
from api.context import CALL, Call, Principal
from api.keys import DECISION
from api.problems import Forbidden, InvalidToken
from api.sessions.opening import SignedInUser
from api.sessions.service import SessionService
from api.status.cookies import Held, PageCookies
from storage.roles import Permission


class Identifier(Protocol):
    """Turns an access token into who it was given to."""

    async def identify(self, token: str) -> Principal:
        """Return the principal of a good token; raise InvalidToken."""


class Denials(Protocol):
    """Writes down what was denied."""

    async def note(self, call: Call, route: str) -> None:
        """Note that the caller's roles do not permit a route."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who may see the pages, and the tokens their browser is to hold from now on."""

    principal: Principal
    renewed: Pair | None = None


class Door:
    """Lets administrators in, and out again."""

    def __init__(
        self,
        *,
        auth: AuthService,
        sessions: SessionService,
        identity: Identifier,
        denials: Denials,
        cookies: PageCookies,
    ) -> None:
        self._auth = auth
        self._sessions = sessions
        self._identity = identity
        self._denials = denials
        self.cookies = cookies

    async def sign_in(self, given: Credentials, request: web.Request) -> SignedInUser:
        """Open a session for who may see the pages.

        Raises what AuthService.login raises, and Forbidden for everybody else who has an account:
        their session ends as it began.
        """
        call = request[CALL]
        call.device_token = self.cookies.held(request).device_token
        signed_in = await self._auth.login(given, call)
        principal = await self._identity.identify(signed_in.tokens.access_token)
        try:
            await self._admit(principal, request)
        except Forbidden:
            await self._sessions.logout(principal.session_id, call)
            raise
        return signed_in

    async def sign_out(self, request: web.Request) -> None:
        """End the session that the browser holds; a second time nothing happens."""
        token = self.cookies.held(request).refresh_token
        if token:
            await self._sessions.logout(self._sessions.read(token).session_id, request[CALL])

    async def visitor(self, request: web.Request) -> Visitor | None:
        """Return who calls, None for somebody to be sent to sign in.

        Raises Forbidden for who may not see the pages.
        """
        call = request[CALL]
        if call.principal:
            return await self._admit(call.principal, request)
        held = self.cookies.held(request)
        try:
            if held.access_token:
                principal = await self._identity.identify(held.access_token)
                return await self._admit(principal, request)
        except InvalidToken:
            pass  # after a quarter of an hour: the other one gets the next
        try:
            return await self._renewed(held, request) if held.refresh_token else None
        except InvalidToken:
            return None

    async def _renewed(self, held: Held, request: web.Request) -> Visitor:
        claims = self._sessions.read(held.refresh_token)
        decision = await self._sessions.limit(claims)
        if decision:
            request[DECISION] = decision
            decision.raise_if_refused()
        pair = await self._sessions.refresh(claims, request[CALL])
        principal = await self._identity.identify(pair.access_token)
        return await self._admit(principal, request, renewed=pair)

    async def _admit(
        self, principal: Principal, request: web.Request, *, renewed: Pair | None = None
    ) -> Visitor:
        call = request[CALL]
        call.principal = principal
        if not principal.may(Permission.STATISTICS_READ):
            await self._denials.note(call, f"{request.method} {request.path}")
            raise Forbidden
        return Visitor(principal=principal, renewed=renewed)


DOOR = web.AppKey("door", Door)
