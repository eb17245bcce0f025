"""CORS (Fetch standard): an exact allow-list, answered before anything looks at a preflight."""

from collections.abc import Sequence

from aiohttp import hdrs, web

_METHODS = "GET, POST, PUT, PATCH, DELETE"
_HEADERS = (
    "Authorization, Content-Type, Accept, Idempotency-Key, If-Match, If-None-Match,"
    " X-Request-Id, X-Auth-Transport, X-Device-Token, X-No-Compression, traceparent, tracestate"
)
_EXPOSED = (
    "X-Request-Id, ETag, Location, Retry-After, RateLimit, RateLimit-Policy, Deprecation, Sunset,"
    " Link, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset"
)
_MAX_AGE = "600"


class Cors:
    """Which web origins may read our answers."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = frozenset(origins)
        self._all = "*" in self._origins

    @staticmethod
    def is_preflight(request: web.Request) -> bool:
        """Say whether a browser asks for permission rather than for an answer."""
        return (
            request.method == hdrs.METH_OPTIONS
            and hdrs.ORIGIN in request.headers
            and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
        )

    def write(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add the headers for the request's origin; an unknown one gets none."""
        if not self._origins:
            return
        vary = response.headers.get(hdrs.VARY)
        response.headers[hdrs.VARY] = f"{vary}, {hdrs.ORIGIN}" if vary else hdrs.ORIGIN
        origin = request.headers.get(hdrs.ORIGIN, "").lower()
        if origin in self._origins:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS] = "true"
        elif origin and self._all:  # without credentials: any page could be asking
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
        else:
            return
        response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED
        if self.is_preflight(request):
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = _METHODS
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = _HEADERS
            response.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = _MAX_AGE
