"""A house of its own for `make timing`: embedded servers as durable as any, one web process."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiohttp
import asyncpg

from ops.settings import load
from ops.stack import Stack
from storage.migrate import Migrator
from tests.factories import OPS_TOKEN, SECRET_KEYS, free_port
from tests.ops.stacks import open_room
from tests.workers.processes import starting

_EMPTY = "TRUNCATE users, outbox, audit_inbox, sign_in_failures CASCADE"


@contextmanager
def stack() -> Iterator[dict[str, str]]:
    """Run PostgreSQL and Redis in a folder that goes; give the environment of our processes."""
    with open_room(on_disk=True) as folder:
        servers = Stack(folder / "home")
        addresses = servers.start()
        try:
            yield {
                "OSTIARY_HOME": str(folder / "home"),
                "DATABASE_URL": str(addresses.database_url),
                "WORKER_DATABASE_URL": str(addresses.worker_database_url),
                "MIGRATION_DATABASE_URL": str(addresses.migration_database_url),
                "REDIS_URL": str(addresses.redis_url),
                "SECRET_KEYS": SECRET_KEYS,
                "OPS_TOKEN": OPS_TOKEN,
                "LOG_FORMAT": "json",
            }
        finally:
            servers.stop()


@asynccontextmanager
async def owning(environ: dict[str, str]) -> AsyncIterator[Any]:
    """Migrate the database and look at it as its owner."""
    settings = load(environ)
    async with Migrator.connect(settings) as migrator:
        await migrator.up()
        await migrator.grant(settings)
    connection = await asyncpg.connect(environ["MIGRATION_DATABASE_URL"])
    try:
        yield connection
    finally:
        await connection.close()


async def empty(owner: Any) -> None:
    """Forget everybody, and what was asked about them."""
    await owner.execute(_EMPTY)


@asynccontextmanager
async def web_process(
    environ: dict[str, str], **settings: str
) -> AsyncIterator[aiohttp.ClientSession]:
    """Run `python -m api` on a port of its own; give a client of it."""
    port = free_port()
    changes = {name.upper(): value for name, value in settings.items()}
    with starting(environ) as start:
        await start("api", ready="answering", PORT=str(port), WEB_PROCESSES="1", **changes)
        url = f"http://127.0.0.1:{port}"
        async with aiohttp.ClientSession(url, cookie_jar=aiohttp.DummyCookieJar()) as client:
            yield client
