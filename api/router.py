"""Makes aiohttp's handlers of endpoints.

The order is fixed here and nowhere else: identify, limit, guard, read, claim, work, write.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import hdrs, web

from api.access import Access, EmailNotVerified, Public, StepUpRequired, bearer
from api.addresses import site_of
from api.context import CALL, Call, Principal
from api.denials import Denials
from api.deprecations import Deprecations
from api.limits import Limits, Policy
from api.paging import Asked, Queries, chosen_fields, place_of
from api.preconditions import ANYTHING, Expected, PreconditionRequired, expected_by
from api.problems import Forbidden, InvalidToken
from api.reading import check_empty, read_json
from api.routing import Endpoint, Routes
from api.writing import write
from storage.claims import Claim
from storage.users import PREMIUM

# Nobody on the way keeps it, or compresses it (`api/compression.py`).
_UNTOUCHED = "no-store, no-transform"

# Seconds after which a caller is identified anew once the body is there.
_SLOW_BODY = 0.3
_EVERYTHING = Asked()
# What the audit trail tells of: who is known, and may not, or not yet.
_DENIALS = (Forbidden, EmailNotVerified, StepUpRequired)


class Identifier(Protocol):
    """Turns an access token into who it was given to."""

    async def identify(self, token: str) -> Principal:
        """Return the principal of a good token; raise InvalidToken."""

    async def identify_now(self, token: str) -> Principal:
        """Return the same from the facts of this moment."""


class Claims(Protocol):
    """Keeps requests that may be repeated."""

    def claiming(
        self, request: web.Request, body: Any
    ) -> AbstractAsyncContextManager[Claim | None]:
        """Hold the request's Idempotency-Key while it is worked on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """Makes aiohttp's handlers of endpoints, out of what they have in common."""

    identifier: Identifier
    limits: Limits
    claims: Claims
    denials: Denials
    queries: Queries
    # Changes must name the version they are made to (SECURITY_PROFILE=strict).
    insists_on_version: bool
    deprecations: Deprecations

    def mount(self, app: web.Application, routes: Routes) -> None:
        """Add a feature's endpoints, under their aliases too."""
        for endpoint in routes.endpoints:
            handler = self._handler(endpoint)
            for path in (endpoint.path, *endpoint.aliases):
                app.router.add_route(endpoint.method, path, handler)
                if endpoint.method == "GET":
                    app.router.add_route("HEAD", path, handler)

    def _handler(
        self, endpoint: Endpoint
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        name = f"{endpoint.method} {endpoint.path}"
        deprecation, secret = self.deprecations.get(name), endpoint.secret
        access, fields = endpoint.access, endpoint.fields

        async def handle(request: web.Request) -> web.StreamResponse:
            call = request[CALL]
            call.route, call.deprecation = endpoint.path, deprecation
            if access.identifies:
                call.principal = await self._principal(request, access)
            if endpoint.limited:
                await self._limit(call, access)
            try:
                access.check(request)
                asked = self._asked(request, endpoint, fields)
                response = await self._worked(request, call, endpoint, asked)
            except _DENIALS as problem:
                # Who may not sign in yet is a `session.refused` already.
                if isinstance(problem, Forbidden) or not isinstance(access, Public):
                    await self.denials.note(call, name, problem, request.match_info)
                raise
            if secret:
                response.headers[hdrs.CACHE_CONTROL] = _UNTOUCHED
            return response

        # What a caller may accept beside JSON (`api/middleware.py`).
        handle.streams = frozenset(endpoint.streams)  # type: ignore[attr-defined]
        return handle

    async def _worked(
        self, request: web.Request, call: Call, endpoint: Endpoint, asked: Asked
    ) -> web.StreamResponse:
        """Read what was sent, work, write; what was sent is read before anything is done."""
        if endpoint.versioned:
            call.expected = self._expected(request, endpoint)
        if endpoint.takes is None:
            if endpoint.refuses_body and request.body_exists:
                await self._sent(check_empty, request, call, endpoint)
            given = (asked.window,) if asked.window else ()
            result = await endpoint.handler(request, *given)
            return write(request, endpoint, result, asked, queries=self.queries)
        nothing = endpoint.body_optional and not request.body_exists
        body = {} if nothing else await self._sent(read_json, request, call, endpoint)
        value = endpoint.takes.read(body)
        if not endpoint.idempotent:
            result = await endpoint.handler(request, value)
            return write(request, endpoint, result, asked, queries=self.queries)
        async with self.claims.claiming(request, body) as claim:
            call.claim = claim
            result = await endpoint.handler(request, value)
            return write(request, endpoint, result, asked, queries=self.queries)

    def _asked(self, request: web.Request, endpoint: Endpoint, fields: Sequence[str]) -> Asked:
        if endpoint.lists:
            place = place_of(endpoint.path, request.match_info)
            return self.queries.read(endpoint.lists, fields, place, request.query)
        if fields and request.query:
            return Asked(fields=chosen_fields(request.query, fields))
        return _EVERYTHING

    def _expected(self, request: web.Request, endpoint: Endpoint) -> Expected:
        changes = endpoint.method in {"PUT", "PATCH", "DELETE"}
        if changes and self.insists_on_version and "If-Match" not in request.headers:
            raise PreconditionRequired
        return expected_by(request) if changes else ANYTHING

    async def _sent(
        self,
        read: Callable[[web.Request, int], Awaitable[Any]],
        request: web.Request,
        call: Call,
        endpoint: Endpoint,
    ) -> Any:
        """Read a body; who holds it back must not keep rights that were lost meanwhile."""
        started = time.monotonic()
        body = await read(request, endpoint.body_limit)
        if call.principal and time.monotonic() - started > _SLOW_BODY:
            call.principal = await self._principal(request, endpoint.access)
            endpoint.access.check(request)
        return body

    async def _principal(self, request: web.Request, access: Access) -> Principal | None:
        token = bearer(request)
        if token is None:
            return None
        try:
            if access.current:
                return await self.identifier.identify_now(token)
            return await self.identifier.identify(token)
        except InvalidToken:
            if isinstance(access, Public):
                return None  # a stale token must not keep anybody from signing in
            raise

    async def _limit(self, call: Call, access: Access) -> None:
        by_address = isinstance(access, Public) and not access.by_caller
        if call.principal and not by_address:
            premium = call.principal.user.plan == PREMIUM
            policy = Policy.PREMIUM if premium else Policy.AUTHENTICATED
            key = str(call.principal.user_id)
        else:
            policy, key = Policy.ANONYMOUS, site_of(call.address)
        call.decision = await self.limits.general(policy, key)
        if call.decision:
            call.decision.raise_if_refused()
