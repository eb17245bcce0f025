"""What tests of the workers share: people, promises, processes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from api.parts import Parts
from storage.jobs import Job, SendWelcome
from storage.outbox import Promise
from tests.conftest import MakeSettings
from tests.nursery import Forking
from tests.workers.processes import starting
from tests.workers.smtp import Sink, listening
from workers.broker import Broker
from workers.toolbox import Tools

Put = Callable[..., Awaitable[UUID]]
Row = Callable[[UUID], Awaitable[Any]]
AddUser = Callable[..., Awaitable[UUID]]
Welcome = Callable[[], Awaitable[UUID]]
Hold = Callable[[UUID], Awaitable[Promise]]


@pytest.fixture
def put(tools: Tools) -> Put:
    """Promise a job in a transaction of its own."""

    async def putting(job: Job, *, handed_over: bool = False) -> UUID:
        async with tools.database.transaction() as storage:
            promise_id = await storage.outbox.put(job)
        if handed_over:
            async with tools.database.reading() as storage:
                await storage.outbox.claim_due(1_000)
        return promise_id

    return putting


@pytest.fixture
def row(owner: Any) -> Row:
    """Look at a promise as it lies in the outbox."""

    async def looking(promise_id: UUID) -> Any:
        return await owner.fetchrow(
            "SELECT *, extract(epoch FROM available_at - now())::float8 AS seconds"
            " FROM outbox WHERE id = $1",
            promise_id,
        )

    return looking


@pytest.fixture
def hold(tools: Tools, owner: Any) -> Hold:
    """Claim a promise as a worker does."""

    async def holding(promise_id: UUID) -> Promise:
        async with tools.database.reading() as storage:
            [promise] = await storage.outbox.claim_runs([(promise_id, promise_id)], lease=15)
        return promise

    return holding


@pytest.fixture
def add_user(parts: Parts, tools: Tools) -> AddUser:
    """Make a person, past every rule of registration."""

    async def adding(**changes: Any) -> UUID:
        facts: dict[str, Any] = {
            "email": "ada@example.com",
            "password_hash": "none",
            "first_name": "Ada",
            "last_name": "Lovelace",
        }
        async with parts.database.transaction() as storage:
            return await storage.users.add(**(facts | changes))

    return adding


@pytest.fixture(scope="module")
async def sink() -> AsyncIterator[Sink]:
    """Take letters on a port of 127.0.0.1."""
    async with listening(Sink()) as running:
        yield running


@pytest.fixture
def start(environ: dict[str, str], migrated: None, forking: Forking) -> Any:
    """Start processes as production does; they end with the test."""
    with starting(environ, forking) as start_process:
        yield start_process


@pytest.fixture
async def broker(make_settings: MakeSettings) -> AsyncIterator[Broker]:
    """Give the broker, as the relay has it."""
    opened = Broker(make_settings().redis_url)
    yield opened
    opened.close()
    opened.client.close()


@pytest.fixture
def welcome(tools: Tools, put: Put, add_user: AddUser) -> Welcome:
    """Promise a letter to somebody new."""
    number = iter(range(10_000))

    async def promising() -> UUID:
        return await put(SendWelcome(await add_user(email=f"person{next(number)}@example.com")))

    return promising


async def done(owner: Any, count: int) -> bool:
    """Whether so many promises are done."""
    found = await owner.fetchval("SELECT count(*) FROM outbox WHERE state = 'done'")
    return bool(found == count)
