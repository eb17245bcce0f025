"""Two web processes of one installation, what people do there, and accidents of its Redis."""

import itertools
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import asyncpg
import psutil
import redis

from ops.stack import Stack
from tests.factories import PASSWORD, bearer, register
from tests.mailroom import Mailroom
from tests.workers.processes import Running

ME = "/api/v1/auth/me"
AUTH = "/api/v1/auth"
NEW_PASSWORD = "Fresh-Giraffe-7"

_numbers = itertools.count()

Accident = Callable[["Pair"], AbstractContextManager[None]]


@dataclass(slots=True, kw_only=True)
class Pair:
    """Two web processes on servers of their own, and a client of each."""

    stack: Stack
    processes: tuple[Running, Running]
    one: aiohttp.ClientSession
    other: aiohttp.ClientSession
    mailroom: Mailroom
    database_url: str
    redis_url: str

    @property
    def clients(self) -> tuple[aiohttp.ClientSession, aiohttp.ClientSession]:
        """Both clients."""
        return self.one, self.other

    @property
    def pid_of_other(self) -> int:
        """The process that answers `other`: the only child of its master."""
        [child] = psutil.Process(self.processes[1].process.pid).children()
        return int(child.pid)

    async def ask(self, question: str, *values: Any) -> Any:
        """Ask the database as its owner, in a connection of its own."""
        connection = await asyncpg.connect(self.database_url, timeout=5)
        try:
            return await connection.fetchval(question, *values)
        finally:
            await connection.close()

    async def person_with_two_sessions(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Register somebody at `one` who signs in at `other` too."""
        first = await register(self.one)
        status, second = await login(self.other, first["user"]["email"])
        assert status == 200, second
        return first, second["data"]


def elsewhere() -> str:
    """Return an address nobody called from before."""
    number = next(_numbers)
    return f"198.18.{number // 250}.{number % 250 + 1}"


async def status_of(client: aiohttp.ClientSession, who: dict[str, Any]) -> int:
    """Use an access token; return the status."""
    async with client.get(ME, headers=bearer(who)) as answer:
        await answer.read()
        return answer.status


async def login(
    client: aiohttp.ClientSession, email: str, password: str = PASSWORD, *, address: str = ""
) -> tuple[int, Any]:
    """Sign in from an address, by default one nobody called from; return status and body."""
    headers = {"X-Forwarded-For": address or elsewhere()}
    credentials = {"email": email, "password": password}
    async with client.post(f"{AUTH}/login", json=credentials, headers=headers) as answer:
        return answer.status, await answer.json()


async def refresh(client: aiohttp.ClientSession, token: str) -> tuple[int, Any]:
    """Refresh; return status and body."""
    async with client.post(f"{AUTH}/refresh", json={"refreshToken": token}) as answer:
        return answer.status, await answer.json()


async def call(
    client: aiohttp.ClientSession, method: str, path: str, who: dict[str, Any] | None, **body: str
) -> int:
    """Call an endpoint under /auth; return the status."""
    headers = bearer(who) if who else {}
    how: dict[str, Any] = {"json": body} if body else {}
    async with client.request(method, f"{AUTH}/{path}", headers=headers, **how) as answer:
        await answer.read()
        return answer.status


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stop a process from answering, as a machine does that swaps."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def redis_well(_: Pair) -> Iterator[None]:
    """Let Redis be."""
    yield


@contextmanager
def redis_frozen(pair: Pair) -> Iterator[None]:
    """Freeze Redis."""
    with frozen(pair.stack.pids["redis"]):
        yield


@contextmanager
def redis_killed(pair: Pair) -> Iterator[None]:
    """Kill Redis, start it again afterwards."""
    _kill(pair.stack, "redis", signal.SIGKILL)
    try:
        yield
    finally:
        pair.stack.revive()


@contextmanager
def redis_deleted(pair: Pair) -> Iterator[None]:
    """Kill Redis and delete all it keeps, start it again afterwards."""
    with redis_killed(pair):
        assert pair.stack.data
        shutil.rmtree(pair.stack.data / "redis")
        yield


@contextmanager
def redis_flushed(pair: Pair) -> Iterator[None]:
    """Empty Redis."""
    with redis.Redis.from_url(pair.redis_url) as client:
        client.flushall()
    yield


@contextmanager
def postgres_down(pair: Pair) -> Iterator[None]:
    """Shut PostgreSQL down as an administrator does, start it again afterwards."""
    _kill(pair.stack, "postgres", signal.SIGINT)
    try:
        yield
    finally:
        pair.stack.revive()


def _kill(stack: Stack, name: str, how: signal.Signals) -> None:
    os.kill(stack.pids[name], how)
    deadline = time.monotonic() + 10
    while name not in stack.check():
        assert time.monotonic() < deadline, f"{name} does not end"
        time.sleep(0.005)


async def timed(times: list[float], work: Any) -> Any:
    """Await, and note how long it took."""
    started = time.monotonic()
    result = await work
    times.append(time.monotonic() - started)
    return result


def percentile(times: list[float], share: float) -> float:
    """Return the time which that share of all stayed within."""
    ordered = sorted(times)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 3)
