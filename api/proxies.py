"""Notices a proxy that TRUSTED_PROXIES does not name: behind it all users share one address.

A peer is suspected when request after request comes from it, each naming who it is forwarded for,
and several different ones. One direct request in between, and the counting begins again.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

from aiohttp import hdrs, web

from api.addresses import Address, Network, forwarded_hops, parse_address, within
from ops.errors import Unavailable
from ops.logging import get_logger
from ops.metrics import Metrics
from storage.proxies import KEPT_SECONDS, SUSPICION, cure, suspected_proxy
from storage.redis import Redis

_REQUESTS = 20
# Anybody can pretend to be a proxy, but only our own stand in private networks.
_REQUESTS_OF_STRANGERS = 500
_CLIENTS = 3
_WRITE_SECONDS = 60.0
# Who asks these directly, such as an orchestrator, passes every proxy by.
_PROBES = ("/health", "/api/health", "/api/v1/health", "/ops/", "/.well-known/")

_log = get_logger()


class ProxyWatch:
    """What one web process has noticed about its peers."""

    def __init__(self, redis: Redis, metrics: Metrics, trusted: Sequence[Network]) -> None:
        self._redis = redis
        self._gauge = metrics.proxy_suspected
        self._trusted = trusted
        self._remote: str | None = None
        self._peer: Address | None = None
        self._requests = 0
        self._clients: set[object] = set()
        self._line: str | None = None
        self._warned = False
        self._next_write = 0.0
        self._writing: asyncio.Task[None] | None = None

    def saw(self, request: web.Request) -> None:
        """Take a request into account; this is on every request's path and waits for nothing."""
        headers = request.headers
        if not (
            hdrs.X_FORWARDED_FOR in headers
            or hdrs.FORWARDED in headers
            or hdrs.X_REAL_IP in headers
            or hdrs.VIA in headers
        ):
            if self._requests and not request.rel_url.raw_path.startswith(_PROBES):
                self._forget()
            return
        if request.remote != self._remote:
            self._begin(request)
        if self._peer is None:
            return
        self._requests += 1
        if len(self._clients) < _CLIENTS:
            self._take_name(request)
        elif self._requests >= _REQUESTS and time.monotonic() >= self._next_write:
            self._suspect(self._peer)

    async def close(self, _: web.Application) -> None:
        """Leave nothing running."""
        if self._writing:
            self._writing.cancel()

    def _begin(self, request: web.Request) -> None:
        self._remote = request.remote
        peer = parse_address(request.remote or "")
        self._peer = None if peer is None or within(peer, self._trusted) else peer
        self._forget()

    def _forget(self) -> None:
        self._requests = 0
        self._clients.clear()

    def _take_name(self, request: web.Request) -> None:
        line = request.headers.get(hdrs.X_FORWARDED_FOR)
        # Most often one client asks many times in a row; its name was taken the first time.
        if not self._clients or line is None or line != self._line:
            self._line = line
            self._clients.add(_named_by(request))

    def _suspect(self, peer: Address) -> None:
        if self._requests < requests_needed(peer):
            return
        self._next_write = time.monotonic() + _WRITE_SECONDS
        if not self._warned:
            _warn(str(peer), self._trusted)
        self._warned = True
        self._gauge.set(1)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._remember(str(peer)))

    async def _remember(self, peer: str) -> None:
        with suppress(Unavailable):  # the next minute brings another try
            await self._redis.suspect_proxy(peer, seconds=KEPT_SECONDS)


def requests_needed(peer: Address) -> int:
    """Return how many requests in a row make this peer suspect."""
    return _REQUESTS_OF_STRANGERS if peer.is_global else _REQUESTS


async def warn_of_proxy(redis: Redis, trusted: Sequence[Network]) -> None:
    """Say again at start what an earlier process noticed, unless it was mended since."""
    with suppress(Unavailable):
        if peer := await suspected_proxy(redis, trusted):
            _warn(peer, trusted)


def _warn(peer: str, trusted: Sequence[Network]) -> None:
    _log.warning(SUSPICION, peer=peer, cure=cure(peer, trusted))


def _named_by(request: web.Request) -> object:
    """Return who the request is forwarded for, ports left out: they differ for one client too."""
    headers = request.headers
    hops = tuple(forwarded_hops(headers.getall(hdrs.X_FORWARDED_FOR, ())))
    return hops or headers.get(hdrs.X_REAL_IP) or headers.get(hdrs.FORWARDED)
