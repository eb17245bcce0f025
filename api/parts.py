"""The parts that the front is made of, opened and closed together."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from api.passwords.hasher import Cost, Hasher
from ops.crypto import KeyRing
from ops.metrics import Metrics
from ops.settings import Settings
from ops.start import until_reachable
from ops.tracing import Tracer, tracing
from storage.database import Database
from storage.migrate import check_migrated
from storage.redis import Redis


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What services are made of."""

    settings: Settings
    metrics: Metrics
    keys: KeyRing
    database: Database
    redis: Redis
    hasher: Hasher
    # None where nothing is traced.
    tracer: Tracer | None = None


@asynccontextmanager
async def open_parts(
    settings: Settings, *, name: str, cost: Cost | None = None
) -> AsyncIterator[Parts]:
    """Open everything; wait for PostgreSQL and Redis if they are still starting.

    Raises Unavailable when one stays away. `cost` is that of Argon2id, for tests.
    """
    metrics, keys = Metrics(), settings.keyring

    async def open_database() -> Database:
        return await Database.open(
            settings.database_url,
            keys=keys,
            metrics=metrics,
            name=name,
            pool_size=settings.db_pool_size,
            statement_cache=settings.database_statement_cache,
            slow_query_ms=settings.slow_query_ms,
        )

    async with AsyncExitStack() as stack:
        tracer = stack.enter_context(tracing(settings, process=name))
        redis = Redis(settings.redis_url, metrics, timeout_ms=settings.redis_timeout_ms)
        stack.push_async_callback(redis.close)
        database = await until_reachable("PostgreSQL", open_database)
        stack.push_async_callback(database.close)
        await until_reachable("a migrated database", lambda: check_migrated(database))
        database.ring_with(redis.ring_relay)
        await until_reachable("Redis", redis.ping)
        hasher = Hasher(metrics, slots=_slots(settings), cost=cost)
        stack.callback(hasher.close)
        yield Parts(
            settings=settings,
            metrics=metrics,
            keys=keys,
            database=database,
            redis=redis,
            hasher=hasher,
            tracer=tracer,
        )


def _slots(settings: Settings) -> int:
    """Share the machine's hash slots among the web processes, at least one each."""
    return max(1, (settings.hash_slots or os.cpu_count() or 1) // settings.processes)
