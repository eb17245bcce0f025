"""Who may see the pages for administrators: who signed in at /ops/sign-in, or sends a token.

A browser's session is one like every other: listed, ended and revoked within a second. Its refresh
token is rotated here, so that reuse is found as at /auth/refresh.
"""

from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from api.auth.service import AuthService, Credentials
from api.auth.tokens import Pair
from api.context import CALL, Call, Principal
from api.denials import Denials
from api.limits import Decision, Limits, Policy
from api.problems import Forbidden, InvalidToken
from api.router import Identifier
from api.sessions.opening import SignedInUser
from api.sessions.service import SessionService
from api.status.cookies import Held, PageCookies
from ops.errors import Problem
from storage.repositories import Storage
from storage.roles import BuiltInRole, Permission


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who may see the pages, and the tokens their browser gets, if it gets others."""

    renewed: Pair | None = None


class Door:
    """Lets administrators in, and out again."""

    def __init__(  # noqa: PLR0913 - the tools of the feature
        self,
        *,
        auth: AuthService,
        sessions: SessionService,
        identity: Identifier,
        limits: Limits,
        denials: Denials,
        cookies: PageCookies,
    ) -> None:
        self._auth = auth
        self._sessions = sessions
        self._identity = identity
        self._limits = limits
        self._denials = denials
        self.cookies = cookies

    async def sign_in(self, given: Credentials, request: web.Request) -> SignedInUser:
        """Open a session for who may see the pages, in place of the one the browser holds.

        Raises what AuthService.login raises, Forbidden for everybody else who has an account.
        """
        call = request[CALL]
        call.device_token = self.cookies.held(request).device_token
        signed_in = await self._auth.login(given, call, admits=_may_look)
        try:
            principal = await self._identity.identify(signed_in.tokens.access_token)
            await self._admit(principal, request)
            with suppress(InvalidToken):  # there is nothing to end then
                await self.sign_out(request)
        except Problem:
            # Nobody will hold its tokens.
            await self._end(self._sessions.read(signed_in.tokens.refresh_token).session_id, call)
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
            await self._admit(call.principal, request)
            return Visitor()
        held = self.cookies.held(request)
        try:
            if held.access_token:
                principal = await self._identity.identify(held.access_token)
                await self._let_in(principal, request)
                return Visitor()
        except InvalidToken:
            pass  # after a quarter of an hour: the other one gets the next
        try:
            return await self._renewed(held, request) if held.refresh_token else None
        except InvalidToken:
            return None

    async def _renewed(self, held: Held, request: web.Request) -> Visitor:
        claims = self._sessions.read(held.refresh_token)
        _counted(request, await self._sessions.limit(claims))
        pair = await self._sessions.refresh(claims, request[CALL])
        principal = await self._identity.identify(pair.access_token)
        await self._let_in(principal, request)
        return Visitor(renewed=pair)

    async def _let_in(self, principal: Principal, request: web.Request) -> None:
        """Let a browser in; the session of one that may not see the pages is good for nothing.

        It ends here, before its owner comes back with tokens that were replaced just now and is
        taken for a thief.
        """
        try:
            await self._admit(principal, request)
        except Problem:
            await self._end(principal.session_id, request[CALL])
            raise

    async def _admit(self, principal: Principal, request: web.Request) -> None:
        call = request[CALL]
        call.principal = principal
        if principal.may(Permission.STATISTICS_READ):
            return
        # Looking is not counted, being sent away is: each time writes into the audit trail.
        key = str(principal.user_id)
        _counted(request, await self._limits.general(Policy.AUTHENTICATED, key))
        # The declared path, as the router notes it: in the asked one stands whatever people like.
        denied = Forbidden()
        await self._denials.note(call, f"{request.method} {call.route}", denied)
        raise denied

    async def _end(self, session_id: UUID, call: Call) -> None:
        """End a session whose owner gets another answer, even where it cannot be ended."""
        with suppress(Problem):
            await self._sessions.logout(session_id, call)


async def _may_look(storage: Storage, user_id: UUID) -> bool:
    """Say whether somebody's roles permit the pages, before there is a session to ask."""
    names = (await storage.users.by_id(user_id)).roles or (BuiltInRole.GUEST,)
    roles = [await storage.roles.by_name(name) for name in names]
    return any(Permission.STATISTICS_READ in role.permissions for role in roles)


def _counted(request: web.Request, decision: Decision | None) -> None:
    """Tell the caller what is left of a limit; raise TooMany when nothing is."""
    if decision:
        request[CALL].decision = decision
        decision.raise_if_refused()


DOOR = web.AppKey("door", Door)
