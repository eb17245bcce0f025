"""Counts, times and logs every request, in one place: every request pays for what is done here."""

import math
from collections.abc import Callable, Mapping

from aiohttp import hdrs, web

from api.context import Call
from ops.logging import get_logger, log_line
from ops.logging.masks import masked
from ops.metrics import Metrics

_MAX_PATH = 200

# What counts an answer's time, what counts it, and what its line says of it.
_Child = tuple[Callable[[float], None], Callable[[], None], Mapping[str, str | int]]

_log = get_logger()


class Observer:
    """What is written down of requests."""

    def __init__(self, metrics: Metrics, *, slow_milliseconds: int) -> None:
        self._metrics = metrics
        self._slow_seconds = slow_milliseconds / 1000 or math.inf
        # Finding a metric's child takes three times as long as counting with it. As bounded as the
        # labels are.
        self._children: dict[tuple[str, str, int], _Child] = {}
        metrics.requests_active.set_function(lambda: metrics.active_requests)

    def record(
        self, request: web.Request, response: web.StreamResponse, call: Call, *, seconds: float
    ) -> None:
        """Count an answer, and write its line in the access log."""
        route = call.route
        method = request.method if request.method in hdrs.METH_ALL else "OTHER"
        key = (method, route, response.status)
        observe, count, fixed = self._children.get(key) or self._child(key)
        observe(seconds)
        count()
        log_line(
            "request",
            category="access",
            # Probes come every few seconds from everywhere and say nothing while all is well.
            level="debug" if route.startswith("/health") else "info",
            fixed=fixed,
            path=_shown(request.rel_url.raw_path),
            milliseconds=round(seconds * 1000, 1),
            address=call.address,
            user=call.principal.user_id if call.principal else None,
        )
        # A stream lasts as long as its reader likes.
        if seconds >= self._slow_seconds and isinstance(response, web.Response):
            self._tell_slow(method, route, seconds)

    def _child(self, key: tuple[str, str, int]) -> _Child:
        method, route, status = key
        child: _Child = (
            self._metrics.request_seconds.labels(method, route).observe,
            self._metrics.requests.labels(method, route, str(status)).inc,
            {"method": method, "route": route, "status": status},
        )
        self._children[key] = child
        return child

    def _tell_slow(self, method: str, route: str, seconds: float) -> None:
        self._metrics.slow_requests.inc()
        _log.warning(
            "slow request", method=method, route=route, milliseconds=round(seconds * 1000, 1)
        )


def _shown(path: str) -> str:
    """Return a path for the log; masked before it is cut, since half a token is not recognized."""
    return path if len(path) <= _MAX_PATH else masked(path)[:_MAX_PATH]
