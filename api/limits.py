"""How often one caller may call, by policy: token buckets (`storage/buckets.py`).

Redis away: the general limit lets through and counts that, the limit on failed sign-ins goes on in
this process.
"""

import math
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web

from ops.errors import Kind, Problem
from ops.metrics import Metrics
from ops.settings import Rate
from storage.buckets import MICROSECONDS, Buckets, Taken
from storage.redis import Redis, RedisAway

_MAX_KEPT = 10_000


class Policy(StrEnum):
    """What is limited."""

    ANONYMOUS = "anonymous"
    AUTHENTICATED = "authenticated"
    PREMIUM = "premium"
    # Counted per session: many people can stand behind one address.
    REFRESH = "refresh"
    AUTH_FAILURES = "auth"
    # Failures at one account over all addresses, counted in PostgreSQL (api/attempts.py).
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether a caller may go on; seconds to wait, and until all is free again."""

    policy: Policy
    rate: Rate
    allowed: bool
    remaining: int
    wait: float
    reset: float

    def write(self, response: web.StreamResponse) -> None:
        """Tell the caller: the documents' headers and those of the IETF draft on RateLimit."""
        reset = math.ceil(self.reset)
        headers = response.headers
        headers["X-RateLimit-Limit"] = str(self.rate.limit)
        headers["X-RateLimit-Remaining"] = str(self.remaining)
        headers["X-RateLimit-Reset"] = str(math.ceil(time.time()) + reset)
        headers["RateLimit-Policy"] = f'"{self.policy}";q={self.rate.limit};w={self.rate.seconds}'
        headers["RateLimit"] = f'"{self.policy}";r={self.remaining};t={reset}'

    def raise_if_refused(self) -> None:
        """Raise TooMany, saying how long to wait, unless the caller may go on."""
        if not self.allowed:
            raise TooMany(self)


class TooMany(Problem, kind=Kind.TOO_MANY, code="RATE_LIMIT_EXCEEDED"):
    """Too many requests. Wait as long as Retry-After says."""

    def __init__(self, decision: Decision) -> None:
        wait = max(1, math.ceil(decision.wait))
        super().__init__(f"Too many requests. Try again in {wait} seconds.", retry_after=wait)
        # Which limit it was: told in the headers in place of the general one.
        self.decision = decision


class Limits:
    """Decides and counts."""

    def __init__(self, redis: Redis, metrics: Metrics, rates: dict[Policy, Rate | None]) -> None:
        self._buckets = Buckets(redis)
        self._metrics = metrics
        self._rates = rates
        self._local = _LocalBucket()

    async def general(self, policy: Policy, key: str) -> Decision | None:
        """Count one request; None when there is no limit or nobody could be asked."""
        rate = self._rates[policy]
        if rate is None:
            return None
        try:
            return self._decision(policy, rate, await self._take(policy, key, rate, 1))
        except RedisAway:
            self._metrics.limits_open.inc()
            return None

    async def reserve_failure(self, key: str) -> None:
        """Count a sign-in as failed before it is looked at, so that parallel guesses all count.

        Raises TooMany. `refund` gives it back when the password was right. This process counts
        too, so that a Redis that comes and goes does not give away the limit anew each time.
        """
        rate = self._rates[Policy.AUTH_FAILURES]
        if rate is None:
            return
        self._decision(
            Policy.AUTH_FAILURES, rate, self._local.take(key, rate, 1)
        ).raise_if_refused()
        try:
            found = await self._take(Policy.AUTH_FAILURES, key, rate, 1)
        except RedisAway:
            return
        decision = self._decision(Policy.AUTH_FAILURES, rate, found)
        if not decision.allowed:
            self._local.take(key, rate, -1)
        decision.raise_if_refused()

    async def refund(self, key: str) -> None:
        """Give a reserved failure back."""
        rate = self._rates[Policy.AUTH_FAILURES]
        if rate:
            self._local.take(key, rate, -1)
            with suppress(RedisAway):
                await self._take(Policy.AUTH_FAILURES, key, rate, -1)

    async def _take(self, policy: Policy, key: str, rate: Rate, cost: int) -> Taken:
        return await self._buckets.take(
            f"ostiary:limit:{policy}:{key}", limit=rate.limit, seconds=rate.seconds, cost=cost
        )

    def _decision(self, policy: Policy, rate: Rate, found: Taken) -> Decision:
        allowed, remaining, wait, reset = found
        if not allowed:
            self._metrics.rate_limited.labels(policy).inc()
        return Decision(
            policy=policy,
            rate=rate,
            allowed=bool(allowed),
            remaining=remaining,
            wait=wait / MICROSECONDS,
            reset=reset / MICROSECONDS,
        )


class _LocalBucket:
    """The same sum in this process; bounded in size."""

    def __init__(self) -> None:
        self._arrivals: OrderedDict[str, int] = OrderedDict()

    def take(self, key: str, rate: Rate, cost: int) -> Taken:
        window = rate.seconds * MICROSECONDS
        interval = window // rate.limit
        now = time.monotonic_ns() // 1_000
        arrival = max(self._arrivals.pop(key, now), now)
        after = max(arrival + interval * cost, now)
        if cost > 0 and after - now > window:
            self._arrivals[key] = arrival
            return 0, 0, after - now - window, arrival - now
        self._arrivals[key] = after
        if len(self._arrivals) > _MAX_KEPT:
            self._arrivals.popitem(last=False)
        return 1, (window - (after - now)) // interval, 0, after - now
