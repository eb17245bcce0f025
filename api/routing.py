"""Routes and Endpoint: one declaration for what an endpoint takes, gives, guards and limits.

The order is fixed here and nowhere else: identify, limit, guard, read, claim, work, write.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Protocol

from aiohttp import web

from api.access import Access, Public, bearer
from api.addresses import site_of
from api.context import CALL, Call, Principal
from api.envelope import Answer, success
from api.keys import DECISION, ROUTE
from api.limits import Limits, Policy
from api.problems import InvalidToken
from api.reading import LARGE, SMALL, read_json
from api.schemas import Inbound, Outbound
from ops.errors import Problem
from storage.claims import Claim
from storage.users import PREMIUM

Handler = Callable[..., Awaitable[Any]]

BASE = "/api/v1"
# Fields of the data that the documents' client looks for at the top level.
MIRRORED = ("accessToken", "refreshToken", "expiresIn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One thing a caller can ask for."""

    method: str
    path: str
    handler: Handler
    access: Access
    tag: str
    takes: Inbound | None = None
    # Nothing at all may be sent in place of a body.
    body_optional: bool = False
    gives: Outbound | None = None
    status: HTTPStatus = HTTPStatus.OK
    # Other statuses it succeeds with, without data.
    also_status: tuple[HTTPStatus, ...] = ()
    # Request headers it reads beside those that every endpoint does: name to what it is for.
    headers: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[type[Problem], ...] = ()
    # An Idempotency-Key is honoured.
    idempotent: bool = False
    # The general limit counts it.
    limited: bool = True
    # The OpenAPI document shows it; pages for people are not in there.
    documented: bool = True
    # Paths it also answers.
    aliases: tuple[str, ...] = ()
    # Fields of the data that are repeated at the top level, for the documents' client.
    mirrored: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """First line of the handler's docstring."""
        return (inspect.getdoc(self.handler) or "").partition("\n")[0]

    @property
    def description(self) -> str:
        """The rest of the handler's docstring."""
        return (inspect.getdoc(self.handler) or "").partition("\n")[2].strip()

    @property
    def body_limit(self) -> int:
        """Bytes a body may have: 64 KiB on /auth, 1 MiB elsewhere."""
        return SMALL if "/auth/" in self.path else LARGE


@dataclass(slots=True)
class Routes:
    """The endpoints of one feature under one prefix."""

    prefix: str
    tag: str
    aliases: tuple[str, ...] = ()
    endpoints: list[Endpoint] = field(default_factory=list)

    def add(
        self, method: str, path: str, *, access: Access, **options: Any
    ) -> Callable[[Handler], Handler]:
        """Declare the decorated handler as an endpoint; the options are those of Endpoint.

        `access` has no default: an unguarded endpoint cannot be written.
        """

        def declare(handler: Handler) -> Handler:
            also = tuple(alias + path for alias in self.aliases) + options.pop("also", ())
            endpoint = Endpoint(
                method=method,
                path=self.prefix + path,
                handler=handler,
                access=access,
                tag=self.tag,
                aliases=also,
                **options,
            )
            self.endpoints.append(endpoint)
            return handler

        return declare


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


class Router:
    """Makes aiohttp's handlers of endpoints."""

    def __init__(self, *, identifier: Identifier, limits: Limits, claims: Claims) -> None:
        self._identifier = identifier
        self._limits = limits
        self._claims = claims

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
        async def handle(request: web.Request) -> web.StreamResponse:
            request[ROUTE] = endpoint.path
            call = request[CALL]
            if endpoint.access.identifies:
                call.principal = await self._principal(request, endpoint)
            if endpoint.limited:
                await self._limit(request, call, endpoint.access)
            endpoint.access.check(request)
            if endpoint.takes is None:
                return self._written(call, endpoint, await endpoint.handler(request))
            body = await self._body(request, endpoint)
            value = endpoint.takes.read(body)
            if not endpoint.idempotent:
                return self._written(call, endpoint, await endpoint.handler(request, value))
            async with self._claims.claiming(request, body) as claim:
                call.claim = claim
                return self._written(call, endpoint, await endpoint.handler(request, value))

        return handle

    @staticmethod
    async def _body(request: web.Request, endpoint: Endpoint) -> Any:
        if endpoint.body_optional and not request.body_exists:
            return {}
        return await read_json(request, endpoint.body_limit)

    async def _principal(self, request: web.Request, endpoint: Endpoint) -> Principal | None:
        token = bearer(request)
        if token is None:
            return None
        try:
            if endpoint.access.current:
                return await self._identifier.identify_now(token)
            return await self._identifier.identify(token)
        except InvalidToken:
            if isinstance(endpoint.access, Public):
                return None  # a stale token must not keep anybody from signing in
            raise

    async def _limit(self, request: web.Request, call: Call, access: Access) -> None:
        policy, key = Policy.ANONYMOUS, site_of(call.address)
        by_address = isinstance(access, Public) and not access.by_caller
        if call.principal and not by_address:
            premium = call.principal.user.plan == PREMIUM
            policy = Policy.PREMIUM if premium else Policy.AUTHENTICATED
            key = str(call.principal.user_id)
        decision = await self._limits.general(policy, key)
        if decision:
            request[DECISION] = decision
            decision.raise_if_refused()

    @staticmethod
    def _written(call: Call, endpoint: Endpoint, result: Any) -> web.StreamResponse:
        if isinstance(result, web.StreamResponse):
            return result
        answer = result if isinstance(result, Answer) else Answer(data=result)
        data = answer.data
        if endpoint.gives and data is not None:
            data = endpoint.gives.dump(data)
        if data is not None and answer.withheld:
            data = {name: value for name, value in data.items() if name not in answer.withheld}
        mirrored = {name: data[name] for name in endpoint.mirrored if data and name in data}
        return success(call, replace(answer, data=data, mirrored=mirrored), endpoint.status)
