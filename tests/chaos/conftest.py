"""What tests of accidents share: a house of its own processes, and people who register."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from ops.metrics import Metrics
from ops.settings import Settings, load
from ops.stack import Addresses, Stack
from storage.database import Database
from storage.redis import Redis
from tests.chaos.pair import Pair
from tests.factories import free_port, register
from tests.furniture import furnished
from tests.mailroom import Mailroom
from tests.nursery import Forking
from tests.ops.stacks import FAST, open_room
from tests.workers.processes import Running, Start, eventually, starting
from tests.workers.smtp import Sink, listening
from workers.letters import Letters
from workers.mailer import FolderMailer
from workers.toolbox import Tools

# Letters that leave at once.
AT_ONCE = 4
ROUNDS = range(int(os.environ.get("CHAOS_ROUNDS", "1")))


@dataclass(slots=True)
class House:
    """The processes of one installation, its mail server and a client of its web process."""

    start: Start
    sink: Sink
    client: aiohttp.ClientSession
    database_url: str
    redis_url: str

    async def worker(self) -> Running:
        """Start one more worker of letters."""
        queues = ("--queues", "emails", "--threads", str(AT_ONCE))
        return await self.start("workers", *queues, ready="working", SMTP_URL=self.sink.url)

    async def relay(self) -> Running:
        """Start one more relay."""
        return await self.start("workers.relay", ready="relaying")

    async def register(self) -> str:
        """Register somebody new; return their address."""
        signed_in = await register(self.client)
        return str(signed_in["user"]["email"])

    def letters_to(self, address: str) -> list[str]:
        """Return the Message-IDs of the letters somebody got."""
        return [
            str(letter["Message-ID"])
            for letter in self.sink.letters
            if address in str(letter["To"])
        ]

    async def all_have_letters(self, addresses: list[str], seconds: float) -> float:
        """Wait until everybody has a letter; return how long it took."""

        async def they_have() -> bool:
            return all(self.letters_to(address) for address in addresses)

        return await eventually(they_have, seconds)

    async def begins_a_letter(self) -> None:
        """Wait until the mail server is in the middle of a letter."""

        async def begun() -> bool:
            return self.sink.begun > 0

        await eventually(begun)

    async def ask(self, question: str) -> object:
        """Ask the database, in a connection of its own."""
        connection = await asyncpg.connect(self.database_url, timeout=5)
        try:
            return await connection.fetchval(question)
        finally:
            await connection.close()

    async def promised(self, condition: str) -> object:
        """Count the promised letters of which a condition holds."""
        letters = "SELECT count(*) FROM outbox WHERE queue = 'emails'"
        return await self.ask(f"{letters} AND {condition}")

    async def settles(self, seconds: float = 10) -> None:
        """Wait until no promise of a letter is open."""

        async def settled() -> bool:
            return await self.promised("state <> 'done'") == 0

        await eventually(settled, seconds)


@pytest.fixture(params=ROUNDS, ids=lambda number: f"round{number + 1}")
def round_number(request: pytest.FixtureRequest) -> int:
    """Repeat the accident CHAOS_ROUNDS times."""
    return int(request.param)


@pytest.fixture
async def house(
    environ: dict[str, str],
    clean: None,
    api: aiohttp.ClientSession,
    round_number: int,
    forking: Forking,
) -> AsyncIterator[House]:
    """Give a house on the session's servers; tests start relay and worker."""
    async with listening(Sink()) as sink:
        with starting(environ, forking) as start:
            database_url = environ["MIGRATION_DATABASE_URL"]
            yield House(start, sink, api, database_url, environ["REDIS_URL"])


@pytest.fixture(scope="module")
def own_stack(furniture: Path) -> Iterator[tuple[Stack, Addresses, Path]]:
    """Run servers of our own over a migrated database, to be frozen and restarted."""
    with open_room() as folder:
        stack = Stack(furnished(folder / "home", furniture), settings=FAST)
        addresses = stack.start()
        try:
            yield stack, addresses, folder
        finally:
            thaw(stack)
            stack.stop()


@pytest.fixture
async def own_house(
    environ: dict[str, str],
    own_stack: tuple[Stack, Addresses, Path],
    round_number: int,
    forking: Forking,
) -> AsyncIterator[House]:
    """Give a house with a web process on servers of its own; tests start relay and worker."""
    _, addresses, folder = own_stack
    environment = _environment(environ, addresses, folder) | {
        "RATE_LIMIT_ANONYMOUS": "off",
        "PORT": str(free_port()),
    }
    async with listening(Sink()) as sink, _client(environment["PORT"]) as client:
        with starting(environment, forking) as start:
            await start("api", ready="answering")
            database_url = environment["MIGRATION_DATABASE_URL"]
            house = House(start, sink, client, database_url, environment["REDIS_URL"])
            yield house
            await house.ask("DELETE FROM outbox")


@pytest.fixture(scope="module")
async def two_processes(
    environ: dict[str, str], own_stack: tuple[Stack, Addresses, Path], forking: Forking
) -> AsyncIterator[Pair]:
    """Run two web processes on servers of their own; limits are counted, and hardly reached."""
    stack, addresses, folder = own_stack
    environment = _environment(environ, addresses, folder) | {
        "RATE_LIMIT_ANONYMOUS": "1000000/1h",
        "RATE_LIMIT_AUTHENTICATED": "1000000/1h",
        "TRUSTED_PROXIES": "127.0.0.1",
        "PUBLIC_URL": "http://localhost:3000",  # one issuer of tokens, whatever the port
    }
    settings = load(environment, directory=folder)
    ports = [str(free_port()), str(free_port())]
    async with AsyncExitStack() as opened:
        start = opened.enter_context(starting(environment, forking))
        processes = [await start("api", ready="answering", PORT=port) for port in ports]
        clients = [await opened.enter_async_context(_client(port)) for port in ports]
        tools = await opened.enter_async_context(_tools(settings, folder / "mail"))
        yield Pair(
            stack=stack,
            processes=(processes[0], processes[1]),
            one=clients[0],
            other=clients[1],
            mailroom=Mailroom(tools, folder),
            database_url=environment["MIGRATION_DATABASE_URL"],
            redis_url=environment["REDIS_URL"],
        )


@pytest.fixture
async def pair(two_processes: Pair) -> Pair:
    """Give two web processes that answer, both databases at their side."""
    for client in two_processes.clients:

        async def is_ready(client: aiohttp.ClientSession = client) -> bool:
            async with client.get("/health/ready") as answer:
                return answer.status == 200

        await eventually(is_ready)
    return two_processes


def _environment(environ: dict[str, str], at: Addresses, folder: Path) -> dict[str, str]:
    return environ | {
        "OSTIARY_HOME": str(folder / "home"),
        "DATABASE_URL": str(at.database_url),
        "WORKER_DATABASE_URL": str(at.worker_database_url),
        "MIGRATION_DATABASE_URL": str(at.migration_database_url),
        "REDIS_URL": str(at.redis_url),
        "REDIS_TIMEOUT_MS": "100",
        "WEB_PROCESSES": "1",
    }


@asynccontextmanager
async def _tools(settings: Settings, mail: Path) -> AsyncIterator[Tools]:
    metrics = Metrics()
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
        mailer=FolderMailer(mail),
        letters=Letters(settings),
    )
    await database.close()
    await redis.close()


@asynccontextmanager
async def _client(port: str) -> AsyncIterator[aiohttp.ClientSession]:
    url = f"http://127.0.0.1:{port}"
    async with aiohttp.ClientSession(url, cookie_jar=aiohttp.DummyCookieJar()) as client:
        yield client


def freeze(stack: Stack) -> None:
    """Stop Redis from answering, as a machine does that swaps."""
    os.kill(stack.pids["redis"], signal.SIGSTOP)


def thaw(stack: Stack) -> None:
    """Let Redis answer again."""
    if pid := stack.pids.get("redis"):
        os.kill(pid, signal.SIGCONT)
