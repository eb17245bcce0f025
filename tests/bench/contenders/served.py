"""Contenders that are programs of others: one command that serves, with PostgreSQL or without."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from ops.stack import Stack
from tests.bench.contenders.command import Command
from tests.bench.contenders.contender import Contender, Place


class Served(Contender):
    """Served by one program and what it starts."""

    _server: Command | None = None

    @property
    def servers(self) -> list[int]:
        """The program; empty while it does not run."""
        return [self._server.pid] if self._server else []

    async def stop(self) -> None:
        """End the program; a database runs on."""
        if self._server:
            await self._server.stop()
        self._server = None

    async def serve(self, words: list[str], path: str, **environ: str) -> None:
        """Run the program until the path answers 200."""
        self._server = Command(words=words, folder=self.place.room, environ=environ)
        await self._server.start(f"http://127.0.0.1:{self.port}{path}")


class OnPostgres(Served):
    """One that has a PostgreSQL of its own: the embedded one, as `make up` runs it."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._stack = Stack(place.room / "home", redis=False)
        self.database_url = ""

    @property
    def roots(self) -> list[int]:
        """The program and PostgreSQL."""
        return [*self.servers, *self._stack.pids.values()]

    async def close(self) -> None:
        """End the program, then PostgreSQL."""
        await self.stop()
        self._stack.stop()

    def open_database(self) -> None:
        """Start PostgreSQL, which ends with the thread that did."""
        self.database_url = str(self._stack.start().migration_database_url)

    @asynccontextmanager
    async def owning(self) -> AsyncIterator[Any]:
        """Look at the database as its owner."""
        connection = await asyncpg.connect(self.database_url)
        try:
            yield connection
        finally:
            await connection.close()
