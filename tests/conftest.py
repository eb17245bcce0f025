"""What tests share: one embedded stack, one migrated database, one live server for the session."""

import gc
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import hypothesis
import pytest

from api.app import make_app
from api.parts import Parts, open_parts
from api.serving.child import start
from ops.logging import set_up
from ops.metrics import Metrics
from ops.settings import Settings, load
from ops.stack import Addresses, Stack
from storage.database import Database
from storage.migrate import Migrator
from storage.redis import Redis
from tests.factories import CHEAP, OPS_TOKEN, SECRET_KEYS, free_socket
from tests.furniture import furnished, furniture_in
from tests.nursery import Forking, running_nursery
from tests.ops.stacks import FAST, open_room
from workers.letters import Letters
from workers.mailer import FolderMailer
from workers.toolbox import Tools

MakeSettings = Callable[..., Settings]
Serve = Callable[..., Awaitable[aiohttp.ClientSession]]

_DELETE_ALL = """
SELECT string_agg(format('DELETE FROM %I', relname), '; ') FROM pg_class
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname = 'public' AND relkind IN ('r', 'p') AND NOT relispartition
  AND relname NOT IN ('schema_migrations', 'roles', 'permissions', 'role_permissions',
                      'signing_keys')
"""

# Begun last, they would keep everybody waiting at the end (`--no-loadscope-reorder`).
_SLOW = (
    "tests/fuzz", "tests/ops", "tests/chaos", "tests/workers/test_many.py", "tests/browser",
    "tests/timing", "tests/api/test_serving.py", "tests/storage/test_seed.py", "tests/watching",
)  # fmt: skip

# Nobody has one any more by then.
_OWN_ROLES = "DELETE FROM roles WHERE NOT built_in"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let slow files begin first; what is random about the order stays."""
    items.sort(key=lambda item: not item.nodeid.startswith(_SLOW))


def pytest_configure() -> None:
    """Look for no garbage while thousands of tests are collected: they all stay."""
    gc.disable()
    # A machine that is busy makes no example wrong.
    calm = hypothesis.HealthCheck.too_slow
    hypothesis.settings.register_profile("calm", deadline=None, suppress_health_check=[calm])
    hypothesis.settings.load_profile("calm")


def pytest_collection_finish() -> None:
    """Look for garbage again, but never at what stays to the end."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def furniture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give what `furnished` copies; all processes of a run share it."""
    folder = tmp_path_factory.getbasetemp()
    return furniture_in(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)


@pytest.fixture(scope="session")
def home(furniture: Path) -> Iterator[Path]:
    """Give the whole session one folder of state."""
    with open_room() as folder:
        yield furnished(folder / "home", furniture)


@pytest.fixture(scope="session")
def addresses(home: Path) -> Iterator[Addresses]:
    """Run PostgreSQL and Redis for the whole session."""
    stack = Stack(home, settings=FAST)
    yield stack.start()
    stack.stop()


@pytest.fixture(scope="session")
def forking() -> Iterator[Forking]:
    """Fork the processes that tests start from one that has imported what they need."""
    with running_nursery() as connected:
        yield connected


@pytest.fixture(scope="session")
def environ(home: Path, addresses: Addresses) -> dict[str, str]:
    """Give the environment that points a process at the session's servers."""
    return {
        "OSTIARY_HOME": str(home),
        "DATABASE_URL": str(addresses.database_url),
        "WORKER_DATABASE_URL": str(addresses.worker_database_url),
        "MIGRATION_DATABASE_URL": str(addresses.migration_database_url),
        "REDIS_URL": str(addresses.redis_url),
        # A disk that is busy with many homes keeps Redis waiting; nothing here is about that.
        "REDIS_TIMEOUT_MS": "5000",
        "SECRET_KEYS": SECRET_KEYS,
        "OPS_TOKEN": OPS_TOKEN,
        "LOG_FORMAT": "json",
    }


@pytest.fixture(scope="session")
def make_settings(
    environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> MakeSettings:
    """Make settings for the session's servers, with changes."""
    nowhere = tmp_path_factory.mktemp("no-dotenv")

    def make(**changes: str) -> Settings:
        return load(
            environ | {name.upper(): value for name, value in changes.items()}, directory=nowhere
        )

    return make


@pytest.fixture(scope="session")
async def migrated(make_settings: MakeSettings) -> None:
    """Bring the session's database up to date."""
    set_up(make_settings(), process="test")
    async with Migrator.connect(make_settings()) as migrator:
        await migrator.up()
        await migrator.grant(make_settings())


@pytest.fixture(scope="session")
async def owner(addresses: Addresses, migrated: None) -> AsyncIterator[Any]:
    """Look at the database as its owner, past every rule."""
    connection = await asyncpg.connect(addresses.migration_database_url)
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
async def parts(make_settings: MakeSettings, migrated: None) -> AsyncIterator[Parts]:
    """Open what services are made of.

    The limit on failed sign-ins is off: a process remembers those, and tests would feel each other.
    """
    settings = make_settings(rate_limit_auth_failures="off")
    async with open_parts(settings, name="test", cost=CHEAP) as opened:
        yield opened


@pytest.fixture(scope="session")
async def server_url(parts: Parts) -> AsyncIterator[str]:
    """Run a live server for the whole session."""
    async with _serving(parts) as url:
        yield url


@pytest.fixture(scope="session")
async def session(server_url: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Open one HTTP client for the whole session."""
    async with aiohttp.ClientSession(server_url, cookie_jar=aiohttp.DummyCookieJar()) as client:
        yield client


@pytest.fixture
async def api(session: aiohttp.ClientSession, clean: None) -> aiohttp.ClientSession:
    """Give a client of the live server, over an empty database."""
    return session


@pytest.fixture
async def clean(owner: Any, parts: Parts) -> None:
    """Begin with empty tables and an empty Redis."""
    await owner.execute(await owner.fetchval(_DELETE_ALL))
    await owner.execute(_OWN_ROLES)
    await parts.redis._client.flushdb()


@pytest.fixture
async def serve(make_settings: MakeSettings, clean: None) -> AsyncIterator[Serve]:
    """Run further servers, each with settings of its own; give a client of each."""
    async with AsyncExitStack() as stack:

        async def run(**changes: str) -> aiohttp.ClientSession:
            opened = open_parts(make_settings(**changes), name="test", cost=CHEAP)
            url = await stack.enter_async_context(_serving(await stack.enter_async_context(opened)))
            client = aiohttp.ClientSession(url, cookie_jar=aiohttp.DummyCookieJar())
            return await stack.enter_async_context(client)

        yield run


@asynccontextmanager
async def _serving(parts: Parts) -> AsyncIterator[str]:
    sock = free_socket()
    port = sock.getsockname()[1]
    runner, server = await start(await make_app(parts), sock)
    yield f"http://127.0.0.1:{port}"
    server.close()
    await runner.cleanup()


@pytest.fixture
async def tools(make_settings: MakeSettings, clean: None, tmp_path: Path) -> AsyncIterator[Tools]:
    """Open what actors reach for; letters go to `tmp_path / "mail"`."""
    settings, metrics = make_settings(), Metrics()
    database = await Database.open(
        settings.worker_database_url, keys=settings.keyring, metrics=metrics, name="test"
    )
    redis = Redis(settings.redis_url, metrics, timeout_ms=settings.redis_timeout_ms)
    yield Tools(
        settings=settings,
        keys=settings.keyring,
        metrics=metrics,
        database=database,
        redis=redis,
        mailer=FolderMailer(tmp_path / "mail"),
        letters=Letters(settings),
    )
    await database.close()
    await redis.close()
