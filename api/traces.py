"""The step of a trace that is a request: a middleware of its own, only there where traces are.

Attributes are OpenTelemetry's for HTTP servers, less what tells of people: no path, no query, no
address or program of the caller.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from api.context import CALL, UNMATCHED
from ops.logging import bound
from ops.tracing import Kind, Parent, Span, Tracer, read_parent

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_TRACE_PARENT = "traceparent"
# Probes come every few seconds from everywhere.
_PROBES = "/health"
_PORTS = {"http": 80, "https": 443}


def traced(tracer: Tracer, *, base_url: str) -> Middleware:
    """Return the middleware; the server is named by its own settings, not by what callers say."""
    parts = urlsplit(base_url)
    server: dict[str, str | int] = {
        "url.scheme": parts.scheme,
        "server.address": parts.hostname or "localhost",
        "server.port": parts.port or _PORTS[parts.scheme],
    }

    @web.middleware
    async def trace(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.rel_url.raw_path.startswith(_PROBES):
            return await handler(request)
        method = request.method if request.method in hdrs.METH_ALL else "_OTHER"
        attributes = server | {"http.request.method": method}
        span = tracer.begin(
            method, kind=Kind.SERVER, attributes=attributes, parent=_parent_of(request)
        )
        if span is None:
            return await handler(request)
        with span, bound(trace_id=span.trace_id):
            response = await handler(request)
            _describe(span, method, request, response)
        return response

    return trace


def _parent_of(request: web.Request) -> Parent | None:
    """Return what the caller says it does; two such headers are none (W3C, section 3.2)."""
    given = request.headers.getall(_TRACE_PARENT, ())
    return read_parent(given[0]) if len(given) == 1 else None


def _describe(span: Span, method: str, request: web.Request, response: web.StreamResponse) -> None:
    call = request[CALL]
    route = None if call.route == UNMATCHED else call.route
    name = f"{method} {route}" if route else None
    span.describe(
        {
            "http.response.status_code": response.status,
            "ostiary.request_id": call.request_id,
            **({"http.route": route} if route else {}),
        },
        name=name,
    )
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        span.fail(str(response.status))
