"""Whether the service can work: each thing it needs, by name, with its latency."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ops.errors import Unavailable
from storage.database import Database
from storage.migrate import NotMigrated, check_migrated
from storage.redis import Redis

_TIMEOUT = 1.2
_LAG_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at."""

    name: str
    ok: bool
    # Without it nobody can be served; without the others something is slow or waits.
    vital: bool
    milliseconds: float
    seen: str


@dataclass(frozen=True, slots=True)
class Health:
    """Everything looked at."""

    checks: list[Check]

    @property
    def status(self) -> str:
        """ok; degraded, when work goes on; or unavailable."""
        if all(check.ok for check in self.checks):
            return "ok"
        vital = all(check.ok for check in self.checks if check.vital)
        return "degraded" if vital else "unavailable"


class HealthService:
    """Looks at everything a request needs."""

    def __init__(self, *, database: Database, redis: Redis) -> None:
        self._database = database
        self._redis = redis
        self.draining = False

    async def ready(self) -> Health:
        """Look at everything, at most 1.2 seconds each, all at once."""
        checks = [
            self._check("postgresql", self._postgresql, vital=True),
            self._check("redis", self._redis_answers, vital=False),
            self._check("migrations", self._migrations, vital=True),
            self._check("outbox", self._outbox, vital=False),
        ]
        found = list(await asyncio.gather(*checks))
        if self.draining:
            found.append(
                Check(name="process", ok=False, vital=True, milliseconds=0.0, seen="stopping")
            )
        return Health(found)

    @staticmethod
    async def _check(name: str, look: Callable[[], Awaitable[str]], *, vital: bool) -> Check:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(_TIMEOUT):
                seen = await look()
            ok = not seen.startswith("!")
        except (Unavailable, TimeoutError):
            ok, seen = False, "no answer"
        milliseconds = round((time.perf_counter() - started) * 1000, 1)
        return Check(
            name=name, ok=ok, vital=vital, milliseconds=milliseconds, seen=seen.lstrip("! ")
        )

    async def _postgresql(self) -> str:
        async with self._database.reading() as storage:
            await storage.ping()
        return "answers"

    async def _redis_answers(self) -> str:
        await self._redis.ping()
        return "answers"

    async def _migrations(self) -> str:
        try:
            return f"at {await check_migrated(self._database)}"
        except NotMigrated as problem:
            return f"! {problem.message}"

    async def _outbox(self) -> str:
        async with self._database.reading() as storage:
            lag = await storage.outbox.lag()
        seen = f"oldest promise waits {lag:.1f} s"
        return f"! {seen}: is the relay running?" if lag > _LAG_SECONDS else seen
