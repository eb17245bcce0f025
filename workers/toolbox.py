"""Opens the tools on the worker's event loop and closes them: what an actor may reach for."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from ops.crypto import KeyRing
from ops.metrics import Metrics
from ops.settings import Settings
from ops.start import until_reachable
from ops.tracing import Tracer, tracing
from storage.database import Database
from storage.migrate import check_migrated
from storage.processes import Work
from storage.redis import Redis
from storage.targets import announced
from workers.letters import Letters
from workers.mailer import Mailer, make_mailer


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What an actor may reach for."""

    settings: Settings
    keys: KeyRing
    metrics: Metrics
    database: Database
    redis: Redis
    mailer: Mailer
    letters: Letters
    # None where nothing is traced.
    tracer: Tracer | None = None


@asynccontextmanager
async def open_tools(
    settings: Settings,
    *,
    name: str,
    metrics: Metrics,
    pool_size: int,
    work: Work | None = None,
) -> AsyncIterator[Tools]:
    """Open every tool and announce the process: its metrics, and what it works on.

    Waits for servers that are still starting; raises Unavailable when they stay away.
    """
    keys = settings.keyring

    async def open_database() -> Database:
        return await Database.open(
            settings.worker_database_url or settings.database_url,
            keys=keys,
            metrics=metrics,
            name=name,
            pool_size=min(pool_size, settings.db_pool_size),
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
        await stack.enter_async_context(announced(redis, metrics, settings, name=name, work=work))
        yield Tools(
            settings=settings,
            keys=keys,
            metrics=metrics,
            database=database,
            redis=redis,
            mailer=make_mailer(settings),
            letters=Letters(settings),
            tracer=tracer,
        )
