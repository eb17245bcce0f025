"""The way into PostgreSQL: transactions, reading, and coming back after it was away."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Self
from uuid import UUID, SafeUUID

import asyncpg
import orjson

from ops.crypto import KeyRing
from ops.errors import Kind, Unavailable
from ops.logging import get_logger
from ops.metrics import Metrics
from ops.metrics.unlocked import observer_of
from storage.actor import SYSTEM, Actor
from storage.audit import ADMINISTRATIVE, Noted
from storage.connections import timed_connection
from storage.merged import Merged
from storage.operations import Stopwatch
from storage.repositories import Storage

Connection = Any  # asyncpg's pool hands out proxies that its stubs type apart

_ACQUIRE_SECONDS = 1.0
_CONNECT_SECONDS = 1.5
_COMMAND_SECONDS = 10.0
_SERVER_SETTINGS = {
    "statement_timeout": "8000",
    "lock_timeout": "3000",
    "idle_in_transaction_session_timeout": "15000",
    "timezone": "UTC",
}
# A session whose server says one of these is of no use any more: 25006 is a fail-over that left
# us on a read-only standby, 57P0x a server going away. asyncpg is confused (InternalClientError)
# by a server that goes away in the middle of an answer.
_USELESS_CONNECTION = (
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InternalClientError,
)
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InterfaceError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.TransactionRollbackError,
    *_USELESS_CONNECTION,
)

# A UUID refuses to be changed, and looking its constant up takes longer than making one.
_set, _UNKNOWN_SAFETY = object.__setattr__, SafeUUID.unknown

_log = get_logger()


class DatabaseAway(Unavailable, kind=Kind.UNAVAILABLE, code="SERVICE_UNAVAILABLE"):
    """The database is not reachable just now; nothing was changed. Try again in a moment."""


class Database:
    """A pool of connections that never waits for ever and recovers by itself."""

    def __init__(self, pool: Any, *, keys: KeyRing, metrics: Metrics) -> None:
        self._pool = pool
        self._keys = keys
        self._metrics = metrics
        self._observe_acquire = observer_of(metrics.db_acquire)
        for action in ADMINISTRATIVE:  # at 0 before the first: an alarm counts what is added
            metrics.admin_actions.labels(action)
        self.merged = Merged(self.reading)
        self._ring: Callable[[], None] = lambda: None
        # Empty in a process that keeps no sessions in memory.
        self._tellers: list[Callable[[], Awaitable[None]]] = []
        metrics.db_connections.labels("idle").set_function(pool.get_idle_size)
        metrics.db_connections.labels("open").set_function(pool.get_size)
        metrics.db_connections.labels("max").set(pool.get_max_size())

    @classmethod
    async def open(  # noqa: PLR0913 - the parts of one address
        cls,
        url: str,
        *,
        keys: KeyRing,
        metrics: Metrics,
        name: str,
        pool_size: int = 20,
        statement_cache: int = 256,
        slow_query_ms: int = 200,
    ) -> Self:
        """Connect; raise DatabaseAway when the server does not answer within two seconds."""
        watch = Stopwatch(metrics, slow_milliseconds=slow_query_ms)
        try:
            pool = await asyncpg.create_pool(
                url,
                init_size=1,
                # An idle process gives its last connection back too: each costs PostgreSQL 14 MB.
                min_size=0,
                max_size=pool_size,
                max_inactive_connection_lifetime=60,
                command_timeout=_COMMAND_SECONDS,
                timeout=_CONNECT_SECONDS,
                statement_cache_size=statement_cache,
                server_settings=_SERVER_SETTINGS | {"application_name": f"ostiary {name}"},
                connection_class=timed_connection(watch),
                init=_set_codecs,
                reset=_keep_session,
            )
        except (*_AWAY, ValueError) as error:
            raise DatabaseAway(f"PostgreSQL: {_reason(error)}") from error
        return cls(pool, keys=keys, metrics=metrics)

    def ring_with(self, ring: Callable[[], None]) -> None:
        """Call `ring` after every commit that promised a job; it must neither block nor raise."""
        self._ring = ring

    def tell_revoked_with(self, tell: Callable[[], Awaitable[None]]) -> None:
        """Await `tell` after every commit that ended a session; it must not raise."""
        self._tellers.append(tell)

    def tell_revoked_no_more(self, tell: Callable[[], Awaitable[None]]) -> None:
        """Leave `tell` alone from now on."""
        self._tellers.remove(tell)

    async def close(self) -> None:
        """Give every connection back to the server."""
        try:
            await asyncio.wait_for(self._pool.close(), timeout=3)
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def transaction(self, actor: Actor = SYSTEM) -> AsyncIterator[Storage]:
        """Open a transaction; commit at the end, roll back on any exception, then tell others."""
        async with self._connection() as connection, connection.transaction():
            storage = Storage(connection, self._keys, actor)
            yield storage
        self._count(storage.noted)
        if storage.promised:
            self._ring()
        if storage.revoked:
            for tell in tuple(self._tellers):
                await tell()

    @asynccontextmanager
    async def reading(self, reader: Actor | None = None) -> AsyncIterator[Storage]:
        """Give the repositories outside any transaction; writes of one statement are fine too.

        What `reader` read can be noted for the audit trail: such an event stands for itself.
        """
        async with self._connection() as connection:
            storage = Storage(connection, self._keys, None, reader=reader)
            try:
                yield storage
            finally:  # what was noted stands, whatever came after it
                self._count(storage.noted)

    def _count(self, noted: Sequence[Noted]) -> None:
        for each in noted:
            self._metrics.audit_events.labels(each.action).inc()
            if each.administrative:
                self._metrics.admin_actions.labels(each.action).inc()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        started, acquired = time.perf_counter(), False
        try:
            async with self._pool.acquire(timeout=_ACQUIRE_SECONDS) as connection:
                acquired = True
                self._observe_acquire(time.perf_counter() - started)
                try:
                    yield connection
                except _USELESS_CONNECTION:
                    with suppress(asyncpg.InterfaceError):
                        await self._pool.expire_connections()
                    raise
        except _AWAY as error:
            if not acquired:
                self._observe_acquire(time.perf_counter() - started)
            if isinstance(error, ValueError):  # asyncpg's word for a wrong argument: our mistake
                raise
            _log.warning("database away", reason=_reason(error))
            raise DatabaseAway from error


async def _set_codecs(connection: Connection) -> None:
    # asyncpg's own UUID class is one that orjson refuses, so plain ones are made.
    await connection.set_type_codec(
        "uuid",
        schema="pg_catalog",
        encoder=lambda value: value.bytes,
        decoder=_uuid,
        format="binary",
    )
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: b"\x01" + orjson.dumps(value),
        decoder=lambda data: orjson.loads(data[1:]),
        format="binary",
    )


def _uuid(data: bytes) -> UUID:
    # What UUID(bytes=data) does, without asking which of six ways of writing one it was given: a
    # person's row and what comes with it has several, and that took longer than all else of it.
    made = object.__new__(UUID)
    _set(made, "int", int.from_bytes(data))
    _set(made, "is_safe", _UNKNOWN_SAFETY)
    return made


async def _keep_session(_: Connection) -> None:
    """Leave the session as it is: session state is forbidden in this house, so none can leak."""


def _reason(error: BaseException) -> str:
    text = str(error).splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
