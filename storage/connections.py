"""Connections to PostgreSQL that take down how long each statement took.

asyncpg's query loggers would do it too, for five times the price, but not for prepared statements.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg

from storage.operations import Stopwatch

_METHODS = ("execute", "fetch", "fetchrow", "fetchval")


def timed_connection(watch: Stopwatch) -> type[asyncpg.Connection]:
    """Return the class of a pool's connections; a statement that fails took its time, too."""

    async def fetch_planned(
        connection: Any, operation: str, statement: str, args: Sequence[Any]
    ) -> Any:
        """Have a statement planned for these very values, and take it down as `operation`."""
        started = time.perf_counter()
        try:
            prepared = await connection.prepare(statement, name="")
            return await prepared.fetch(*args)
        finally:
            watch.took_named(operation, time.perf_counter() - started)

    async def fetch_named(
        connection: Any, operation: str, statement: str, args: Sequence[Any]
    ) -> Any:
        """Ask a statement that is put together, and take it down as `operation`."""
        started = time.perf_counter()
        try:
            return await asyncpg.Connection.fetch(connection, statement, *args)
        finally:
            watch.took_named(operation, time.perf_counter() - started)

    methods = {name: _timed(getattr(asyncpg.Connection, name), watch) for name in _METHODS}
    fetches = {"fetch_planned": fetch_planned, "fetch_named": fetch_named}
    members = {"__slots__": (), **fetches, **methods}
    return type("TimedConnection", (asyncpg.Connection,), members)


def _timed(method: Callable[..., Any], watch: Stopwatch) -> Callable[..., Any]:
    async def timed(connection: Any, statement: str, *args: Any, **options: Any) -> Any:
        started = time.perf_counter()
        try:
            return await method(connection, statement, *args, **options)
        finally:
            watch.took(statement, time.perf_counter() - started)

    return timed
