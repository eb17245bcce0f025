"""Counts, times and logs every request, in one place: every request pays for what is done here."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

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


# What is told of an answer: its kind, in how many seconds, when, by whom, and facts for its line.
_Answered = tuple[_Kind, float, int, Mapping[str, Any], str, str, UUID | None]


class Observer:
    """What is written down of requests.

    What those of a hundredth of a second have in common is done together: what answering leaves in
    the processor's caches is others' code and data, and each by itself would cost twice as much.
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
        route, status, principal = call.route, response.status, call.principal
        kind = self._kinds.get((request.method, route, status)) or self._kind(
            _method(request), route, status
        )
        user = principal.user.id if principal else None
        path = request.rel_url.raw_path
        self._answered.append(
            (kind, seconds, time.time_ns(), facts_bound(), path, call.address, user)
        )
        # A stream lasts as long as its reader likes.
        if seconds >= self._slow_seconds and isinstance(response, web.Response):
            self._tell_slow(request, call, seconds)

    def settle(self) -> None:
        """Count the answers that were taken down, and write their lines in the access log."""
        answered, self._answered = self._answered, []
        for kind, seconds, moment, ids, path, address, user in answered:
            kind.observe(seconds)
            kind.count()
            # `round` takes longer than all else of these facts.
            milliseconds = int(seconds * 10_000 + 0.5) / 10
            kind.line.write(
                moment,
                {**ids, "path": _shown(path)},
                {"milliseconds": milliseconds, "address": address, "user": user},
            )

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
