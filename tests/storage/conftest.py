"""What tests of storage share: a PostgreSQL whose schema comes and goes, a Redis to freeze."""

import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from ops.metrics import Metrics
from ops.settings import Settings, load
from ops.stack import Addresses, Stack
from storage.redis import Redis
from tests.commands import run
from tests.factories import SECRET_KEYS
from tests.furniture import furnished
from tests.nursery import Forking
from tests.ops.stacks import FAST, open_room

Command = Callable[..., Awaitable[tuple[int, str]]]
Seed = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture(scope="session")
def server(furniture: Path) -> Iterator[Addresses]:
    """Run a PostgreSQL of these tests' own, whose schema comes and goes."""
    with open_room() as folder:
        stack = Stack(furnished(folder / "home", furniture), redis=False, settings=FAST)
        yield stack.start()
        stack.stop()


@pytest.fixture
async def fresh(server: Addresses) -> AsyncIterator[Any]:
    """Empty the database; give a connection of its owner."""
    connection = await asyncpg.connect(server.migration_database_url)
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    yield connection
    await connection.close()


@pytest.fixture
def own_environ(server: Addresses, tmp_path: Path) -> dict[str, str]:
    """Give the environment of a command on that server."""
    return {
        "OSTIARY_HOME": str(tmp_path),
        "DATABASE_URL": str(server.database_url),
        "WORKER_DATABASE_URL": str(server.worker_database_url),
        "MIGRATION_DATABASE_URL": str(server.migration_database_url),
        "SECRET_KEYS": SECRET_KEYS,
    }


@pytest.fixture
def command(forking: Forking) -> Command:
    """Run `python -m storage`: its exit code and everything it printed."""

    async def work(environ: dict[str, str], *arguments: str, said: str = "") -> tuple[int, str]:
        code, output, errors = await run(
            forking, "storage", *arguments, environ=environ, given=said
        )
        return code, errors + output

    return work


@pytest.fixture
async def empty(fresh: Any, own_environ: dict[str, str], command: Command) -> Any:
    """Give the owner's connection to a migrated database without people."""
    assert (await command(own_environ, "migrate"))[0] == 0
    return fresh


@pytest.fixture
def seed(command: Command) -> Seed:
    """Seed; give what the command says as JSON."""

    async def run(environ: dict[str, str], *arguments: str) -> dict[str, Any]:
        code, told = await command(environ, "seed", "--json", *arguments)
        assert code == 0, told
        return dict(json.loads(told.splitlines()[-1]))

    return run


@pytest.fixture
def settings(own_environ: dict[str, str], tmp_path: Path) -> Settings:
    """Give the settings of a migrator on that server."""
    return load(own_environ, directory=tmp_path)


@pytest.fixture
def own_redis() -> Iterator[tuple[str, int]]:
    """Run a Redis of this test's own; give its address and process id."""
    with open_room() as folder:
        stack = Stack(folder / "home", postgres=False)
        url = str(stack.start().redis_url)
        pid = stack.pids["redis"]
        yield url, pid
        os.kill(pid, signal.SIGCONT)
        stack.stop()


@pytest.fixture
async def own(own_redis: tuple[str, int]) -> AsyncIterator[tuple[Redis, int, Metrics]]:
    """Give a client of that Redis, the server's process id, the metrics."""
    url, pid = own_redis
    metrics = Metrics()
    client = Redis(url, metrics)
    yield client, pid, metrics
    await client.close()


@pytest.fixture
async def patient(own: tuple[Redis, int, Metrics], own_redis: tuple[str, int]) -> Any:
    """Give another client of it, which waits for as long as a busy machine may take."""
    client = Redis(own_redis[0], own[2], timeout_ms=5_000)
    yield client
    await client.close()
