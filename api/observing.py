"""Counts, times and logs every request, in one place: every request pays for what is done here."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import hdrs, web

from api.context import Call
from ops.logging import Line, facts_bound, get_logger
from ops.logging.masks import masked
from ops.metrics import Metrics
from ops.metrics.unlocked import counter_of, observer_of

_MAX_PATH = 200
SETTLING_SECONDS = 0.01

_log = get_logger()


@dataclass(frozen=True, slots=True)
class _Kind:
    """Answers of one method, route and status: what times and counts them, and their line."""

    observe: Callable[[float], None]
    count: Callable[[], None]
    line: Line


# A request that was answered: the status, in how many seconds, when, and the log's facts of it.
_Answered = tuple[web.Request, Call, int, float, int, Mapping[str, Any]]


class Observer:
    """What is written down of requests.

    All those of a hundredth of a second together: what answering has left in the processor's caches
    is others' code and data, so that each by itself would cost three times as much.
    """

    def __init__(self, metrics: Metrics, *, slow_milliseconds: int) -> None:
        self._metrics = metrics
        self._slow_seconds = slow_milliseconds / 1000 or math.inf
        # As bounded as the labels of metrics are.
        self._kinds: dict[tuple[str, str, int], _Kind] = {}
        self._answered: list[_Answered] = []
        metrics.requests_active.set_function(lambda: metrics.active_requests)

    def record(
        self, request: web.Request, response: web.StreamResponse, call: Call, *, seconds: float
    ) -> None:
        """Take an answer down; it is counted, and its line written, in a moment."""
        if not self._answered:
            asyncio.get_running_loop().call_later(SETTLING_SECONDS, self.settle)
        self._answered.append(
            (request, call, response.status, seconds, time.time_ns(), facts_bound())
        )
        # A stream lasts as long as its reader likes.
        if seconds >= self._slow_seconds and isinstance(response, web.Response):
            self._tell_slow(request, call, seconds)

    def settle(self) -> None:
        """Count the answers that were taken down, and write their lines in the access log."""
        answered, self._answered = self._answered, []
        for request, call, status, seconds, moment, ids in answered:
            kind = self._kinds.get((request.method, call.route, status)) or self._kind(
                _method(request), call.route, status
            )
            kind.observe(seconds)
            kind.count()
            own = {
                "milliseconds": round(seconds * 1000, 1),
                "address": call.address,
                "user": call.principal.user.id if call.principal else None,
            }
            kind.line.write(moment, {**ids, "path": _shown(request.rel_url.raw_path)}, own)

    async def close(self, _: web.Application) -> None:
        """Leave nothing to be written."""
        self.settle()

    def _kind(self, method: str, route: str, status: int) -> _Kind:
        known = self._kinds.get((method, route, status))
        if known:
            return known
        # Probes come every few seconds from everywhere and say nothing while all is well.
        level = "debug" if route.startswith("/health") else "info"
        kind = self._kinds[method, route, status] = _Kind(
            observer_of(self._metrics.request_seconds.labels(method, route)),
            counter_of(self._metrics.requests.labels(method, route, str(status))),
            Line(
                "request", category="access", level=level, method=method, route=route, status=status
            ),
        )
        return kind

    def _tell_slow(self, request: web.Request, call: Call, seconds: float) -> None:
        self._metrics.slow_requests.inc()
        _log.warning(
            "slow request",
            method=_method(request),
            route=call.route,
            milliseconds=round(seconds * 1000, 1),
        )


def _method(request: web.Request) -> str:
    """Return the method; anybody can invent some."""
    return request.method if request.method in hdrs.METH_ALL else "OTHER"


def _shown(path: str) -> str:
    """Return a path for the log; masked before it is cut, since half a token is not recognized."""
    return path if len(path) <= _MAX_PATH else masked(path)[:_MAX_PATH]
