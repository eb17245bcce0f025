"""Accidents that `make chaos TESTS=tests/watching` adds; each ends when its context does."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg

from tests.chaos.pair import frozen
from tests.watching.drill import Fault, Scene

_TAMPER = "UPDATE audit_ledger SET outcome = $1 WHERE sequence = 1"
_ROW = "SELECT pg_advisory_xact_lock($1)"


@asynccontextmanager
async def a_process_dies(scene: Scene) -> AsyncIterator[None]:
    """Kill the relay as the kernel does; another one is started, the dead one stays listed."""
    os.kill(scene.house.pid("workers.relay"), signal.SIGKILL)
    yield


@asynccontextmanager
async def old_tokens_are_presented(scene: Scene) -> AsyncIterator[None]:
    """Present refresh tokens of eight sessions that were used before."""
    for _ in range(8):
        await scene.load.reuse_a_token()
    yield


@asynccontextmanager
async def there_is_a_new_administrator(scene: Scene) -> AsyncIterator[None]:
    """Give somebody the role that can do everything."""
    await scene.load.register()
    await scene.load.administer(f"/users/{scene.load.person_id}/roles/admin", {}, method="PUT")
    yield


@asynccontextmanager
async def the_ledger_is_touched(scene: Scene) -> AsyncIterator[None]:
    """Change a sealed row past every rule, and have the ledger verified; then put it right."""
    async with _connected(scene.house.superuser_url) as connection:
        was = await connection.fetchval("SELECT outcome FROM audit_ledger WHERE sequence = 1")
        await connection.execute(_TAMPER, "denied")
        await scene.load.administer("/admin/tasks/audit.verify/run", {})
        try:
            yield
        finally:
            await connection.execute(_TAMPER, was)
            await scene.load.administer("/admin/tasks/audit.verify/run", {})


@asynccontextmanager
async def connections_are_used_up(scene: Scene) -> AsyncIterator[None]:
    """Open connections as a forgotten script does."""
    async with AsyncExitStack() as opened:
        for _ in range(95):
            await opened.enter_async_context(_connected(scene.house.superuser_url))
        yield


@asynccontextmanager
async def transactions_lock_each_other_out(scene: Scene) -> AsyncIterator[None]:
    """Let pairs of transactions take two locks in opposite order."""
    url = scene.house.superuser_url
    await asyncio.gather(*(_deadlock(url, 2 * number) for number in range(9_000, 9_006)))
    yield


async def _deadlock(url: str, lock: int) -> None:
    async with _connected(url) as one, _connected(url) as other, one.transaction():
        await one.execute(_ROW, lock)
        transaction = other.transaction()
        await transaction.start()
        await other.execute(_ROW, lock + 1)
        waits = (one.execute(_ROW, lock + 1), other.execute(_ROW, lock))
        ends = await asyncio.gather(*waits, return_exceptions=True)
        assert any(isinstance(end, asyncpg.DeadlockDetectedError) for end in ends), ends
        await transaction.rollback()


@asynccontextmanager
async def relay_and_sealer_hang(scene: Scene) -> AsyncIterator[None]:
    """Stop two processes from working, without ending them."""
    await scene.load.register()
    relay = scene.house.pid("workers.relay")
    sealer = scene.house.pid("workers", "--queues", "sessions")
    with frozen(relay), frozen(sealer):
        yield


@asynccontextmanager
async def redis_is_gone(scene: Scene) -> AsyncIterator[None]:
    """Kill Redis, and take away what it needs to be started again."""
    data = scene.house.home / "redis"
    server = scene.house.pid(str(data / "redis.conf"))
    hidden = data.with_name("redis.away")
    data.rename(hidden)
    data.touch()
    os.kill(server, signal.SIGKILL)
    try:
        yield
    finally:
        data.unlink()
        shutil.move(hidden, data)


@asynccontextmanager
async def an_exporter_hangs(scene: Scene) -> AsyncIterator[None]:
    """Stop the exporter of the machine from answering."""
    with frozen(scene.house.pid_of("node-exporter")):
        yield


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


FURTHER = (
    (
        Fault(old_tokens_are_presented, ("RefreshTokenReuse",)),
        Fault(there_is_a_new_administrator, ("AdminCreated",)),
        Fault(the_ledger_is_touched, ("AuditChainBroken",)),
        Fault(a_process_dies, ("TargetDown",)),
    ),
    (
        Fault(transactions_lock_each_other_out, ("Deadlocks",)),
        Fault(connections_are_used_up, ("PostgresConnectionsHigh",)),
    ),
    (Fault(relay_and_sealer_hang, ("TargetDown",), follow=("OutboxStalled", "AuditLagHigh")),),
    (
        Fault(redis_is_gone, ("RedisDown",), follow=("RedisErrors",)),
        Fault(an_exporter_hangs, ("TargetDown",)),
    ),
)
