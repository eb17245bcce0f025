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

from api.addresses import Network, client_address
from api.context import CALL, Call
from api.cors import Cors
from api.envelope import failure
from api.keys import DECISION, ROUTE
from api.limits import TooMany
from api.problems import (
    BadRequest,
    Internal,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    PayloadTooLarge,
)
from api.proxies import ProxyWatch
from ops.errors import Kind, Problem
from ops.ids import new_id
from ops.logging import bound, get_logger
from ops.logging.masks import masked
from ops.metrics import Metrics

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_MAX_AGENT = 300
_MAX_PATH = 200
_UNMATCHED = "unmatched"

_access = get_logger("access")
_log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapper:
    """The middleware and what it needs."""

    metrics: Metrics
    cors: Cors
    trusted_proxies: tuple[Network, ...]
    proxies: ProxyWatch
    headers: dict[str, str]

    def middleware(self) -> Middleware:
        """Return the aiohttp middleware."""

        @web.middleware
        async def wrap(request: web.Request, handler: Handler) -> web.StreamResponse:
            started = time.perf_counter()
            call = self._call(request)
            request[CALL] = call
            with bound(request_id=call.request_id), self.metrics.requests_active.track_inprogress():
                response = await self._answered(request, call, handler)
                self._finish(request, response, call)
                self._record(request, response, time.perf_counter() - started)
            return response

        return wrap

    def _call(self, request: web.Request) -> Call:
        self.proxies.saw(request)
        given = request.headers.get("X-Request-Id", "")
        return Call(
            request_id=given if _SANE_ID.fullmatch(given) else f"req_{new_id().hex}",
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
        except web.HTTPException as error:
            return self._told(request, call, _problem_of(error), error)
        except Exception:  # noqa: BLE001 - the one place where the unknown ends
            _log.exception("unexpected error", route=request.get(ROUTE, _UNMATCHED))
            return self._told(request, call, Internal())

    def _told(
        self,
        request: web.Request,
        call: Call,
        problem: Problem,
        error: web.HTTPException | None = None,
    ) -> web.Response:
        self.metrics.problems.labels(problem.code).inc()
        if isinstance(problem, TooMany):
            request[DECISION] = problem.decision
        if problem.kind is Kind.TOO_LARGE:
            self.metrics.bodies_refused.labels("too_large").inc()
        wants_9457 = "application/problem+json" in request.headers.get(hdrs.ACCEPT, "")
        response = failure(call, problem, rfc9457=wants_9457)
        if error is not None and hdrs.ALLOW in error.headers:
            response.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
        return response

    def _finish(self, request: web.Request, response: web.StreamResponse, call: Call) -> None:
        headers = response.headers
        headers["X-Request-Id"] = call.request_id
        for name, value in self.headers.items():
            headers.setdefault(name, value)
        self.cors.write(request, response)
        decision = request.get(DECISION)
        if decision:
            decision.write(response)

    def _record(self, request: web.Request, response: web.StreamResponse, seconds: float) -> None:
        route = request.get(ROUTE, _UNMATCHED)
        method = request.method if request.method in hdrs.METH_ALL else "OTHER"
        self.metrics.request_seconds.labels(method, route).observe(seconds)
        self.metrics.requests.labels(method, route, str(response.status)).inc()
        call = request[CALL]
        # Probes come every few seconds from everywhere and say nothing while all is well.
        write = _access.debug if route.startswith("/health") else _access.info
        write(
            "request",
            method=method,
            path=_shown(request.rel_url.raw_path),
            route=route,
            status=response.status,
            milliseconds=round(seconds * 1000, 1),
            address=call.address,
            user=str(call.principal.user_id) if call.principal else None,
        )


def _text(header: str) -> str:
    """Return a header without the surrogates that stand for bytes that are not UTF-8."""
    return header.encode("utf-8", "replace").decode()


def _shown(path: str) -> str:
    """Return a path for the log; masked before it is cut, since half a token is not recognized."""
    return path if len(path) <= _MAX_PATH else masked(path)[:_MAX_PATH]


def _check_accept(request: web.Request) -> None:
    accepted = request.headers.get(hdrs.ACCEPT, "*/*").lower()
    path = request.rel_url.raw_path
    if not path.startswith(("/api/", "/auth/")) or path.startswith("/api/docs"):
        return
    kinds = [item.partition(";")[0].strip() for item in accepted.split(",")]
    good = {"", "*/*", "application/*", "application/json", "application/problem+json"}
    if not good.intersection(kinds):
        raise NotAcceptable


def _problem_of(error: web.HTTPException) -> Problem:
    if isinstance(error, web.HTTPMethodNotAllowed):
        return MethodNotAllowed()
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return PayloadTooLarge()
    if isinstance(error, web.HTTPNotFound):
        return NotFound()
    if error.status < 500:  # noqa: PLR2004 - the border between their errors and ours
        return BadRequest()
    return Internal()
