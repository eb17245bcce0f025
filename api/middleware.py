"""What wraps every request: one layer, since each one costs.

It makes the Call, turns what is raised into an answer, and adds to every answer what every answer
has: request id, security headers, CORS, limits; then it counts and logs.
"""

import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware
from multidict import CIMultiDict

from api.addresses import Network, client_address
from api.compression import compress, negotiate, preferences
from api.context import CALL, Call
from api.cors import Cors
from api.deprecations import Deprecation
from api.envelope import JSON, PROBLEM_JSON, failure
from api.headers import REQUEST_ID
from api.limits import TooMany
from api.observing import Observer
from api.problems import (
    BadRequest,
    Internal,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from api.proxies import ProxyWatch
from api.reading import PATCHES
from ops.errors import Kind, Problem
from ops.ids import new_request_id
from ops.logging import bind, get_logger, unbind
from ops.metrics import Metrics

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_MAX_AGENT = 300
_ANSWERS = {"", "*/*", "application/*", JSON, PROBLEM_JSON}
_ACCEPT_PATCH = "Accept-Patch"  # RFC 5789, section 3.1

_log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapper:
    """The middleware and what it needs."""

    metrics: Metrics
    observer: Observer
    cors: Cors
    trusted_proxies: tuple[Network, ...]
    proxies: ProxyWatch
    headers: CIMultiDict[str]

    def middleware(self) -> Middleware:
        """Return the aiohttp middleware."""

        @web.middleware
        async def wrap(request: web.Request, handler: Handler) -> web.StreamResponse:
            started = time.perf_counter()
            call = self._call(request)
            request[CALL] = call
            self.metrics.active_requests += 1
            facts = bind({"request_id": call.request_id})
            try:
                response = await self._answered(request, call, handler)
                if isinstance(response, web.Response) and negotiate(request, response):
                    await compress(response)
                if not response.prepared:
                    self._finish(request, response, call)
                seconds = time.perf_counter() - started
                self.observer.record(request, response, call, seconds=seconds)
            finally:
                unbind(facts)
                self.metrics.active_requests -= 1
            return response

        return wrap

    async def prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        """Finish the headers of a stream, which are sent before its handler returns."""
        if REQUEST_ID not in response.headers:
            # By now the library has named itself.
            response.headers.pop(hdrs.SERVER, None)
            self._finish(request, response, request[CALL])

    def _call(self, request: web.Request) -> Call:
        self.proxies.saw(request)
        given = request.headers.get(REQUEST_ID, "")
        return Call(
            request_id=given if _SANE_ID.fullmatch(given) else new_request_id(),
            address=client_address(
                request.remote,
                request.headers.getall(hdrs.X_FORWARDED_FOR, ()),
                trusted=self.trusted_proxies,
            ),
            user_agent=_text(request.headers.get(hdrs.USER_AGENT, ""))[:_MAX_AGENT],
        )

    async def _answered(
        self, request: web.Request, call: Call, handler: Handler
    ) -> web.StreamResponse:
        if self.cors.is_preflight(request):
            return web.Response(status=204)
        try:
            _check_accept(request)
            return await handler(request)
        except Problem as problem:
            return self._told(request, call, problem)
        except web.HTTPMethodNotAllowed as error:
            return self._asked_otherwise(request, call, error)
        except web.HTTPException as error:
            return self._told(request, call, _problem_of(error))
        except Exception:  # noqa: BLE001 - the one place where the unknown ends
            _log.exception("unexpected error", route=call.route)
            return self._told(request, call, Internal())

    def _asked_otherwise(
        self, request: web.Request, call: Call, error: web.HTTPMethodNotAllowed
    ) -> web.Response:
        """Say which methods an address answers; with 204 to who asked just that."""
        asked = request.method == hdrs.METH_OPTIONS
        response = (
            web.Response(status=204) if asked else self._told(request, call, MethodNotAllowed())
        )
        methods = error.allowed_methods | {hdrs.METH_OPTIONS}
        response.headers[hdrs.ALLOW] = ", ".join(sorted(methods))
        if hdrs.METH_PATCH in methods:
            response.headers[_ACCEPT_PATCH] = PATCHES
        return response

    def _told(self, request: web.Request, call: Call, problem: Problem) -> web.Response:
        self.metrics.problems.labels(problem.code).inc()
        if isinstance(problem, TooMany):
            call.decision = problem.decision
        if problem.kind is Kind.TOO_LARGE:
            self.metrics.bodies_refused.labels("too_large").inc()
        response = failure(call, problem, rfc9457=_prefers_rfc9457(request))
        if isinstance(problem, UnsupportedMediaType) and request.method == hdrs.METH_PATCH:
            response.headers[_ACCEPT_PATCH] = PATCHES
        return response

    def _finish(self, request: web.Request, response: web.StreamResponse, call: Call) -> None:
        headers = response.headers
        headers[REQUEST_ID] = call.request_id
        headers.merge(self.headers)
        self.cors.write(request, response)
        if call.decision:
            call.decision.write(response)
        if call.deprecation:
            self._warn(request, response, call.deprecation)

    def _warn(
        self, request: web.Request, response: web.StreamResponse, deprecation: Deprecation
    ) -> None:
        """Tell the caller that a route will go, and the operator who still calls it."""
        response.headers.update(deprecation.headers)
        call = request[CALL]
        self.metrics.deprecated_requests.labels(request.method, call.route).inc()
        _log.info(
            "deprecated route called",
            method=request.method,
            route=call.route,
            user=str(call.principal.user_id) if call.principal else None,
            address=call.address,
            agent=call.user_agent,
        )


def _text(header: str) -> str:
    """Return a header without the surrogates that stand for bytes that are not UTF-8."""
    return header if header.isascii() else header.encode("utf-8", "replace").decode()


def _check_accept(request: web.Request) -> None:
    if request.headers.get(hdrs.ACCEPT, "*/*") in _ANSWERS or request.method == hdrs.METH_OPTIONS:
        return
    path = request.rel_url.raw_path
    if not path.startswith(("/api/", "/auth/")) or path.startswith("/api/docs"):
        return
    accepted = _accepted(request)
    streams: frozenset[str] = getattr(request.match_info.handler, "streams", frozenset())
    if _ANSWERS.isdisjoint(accepted) and streams.isdisjoint(accepted):
        raise NotAcceptable


def _accepted(request: web.Request) -> list[str]:
    """Return the media ranges that a caller accepts."""
    return [name for name, weight in preferences(request, hdrs.ACCEPT).items() if weight]


def _prefers_rfc9457(request: web.Request) -> bool:
    """Say whether a caller names application/problem+json, and JSON with no higher q."""
    weights = preferences(request, hdrs.ACCEPT)
    theirs = weights.get(PROBLEM_JSON, 0)
    return theirs > 0 and theirs >= weights.get(JSON, 0)


def _problem_of(error: web.HTTPException) -> Problem:
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return PayloadTooLarge()
    if isinstance(error, web.HTTPNotFound):
        return NotFound()
    if error.status < 500:  # noqa: PLR2004 - the border between their errors and ours
        return BadRequest()
    return Internal()
