"""What relaying a batch and doing a job cost in round trips, counted on the wires."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest

from ops.ids import new_id
from ops.metrics import Metrics
from storage.database import Database
from storage.jobs import SealAudit, SendWelcome
from storage.redis import Redis
from tests.budget import Ask, budget, check
from tests.conftest import MakeSettings
from tests.wire import Wires, wires
from tests.workers.conftest import AddUser, Put
from tests.workers.trying import Noting, Try, runner
from workers.audit import seal_audit
from workers.broker import Broker
from workers.emails import send_welcome
from workers.relay import Relay
from workers.runner import Runner
from workers.toolbox import Tools

_BATCH = 50


@dataclass(slots=True)
class Scene:
    """A relay and a worker behind the wires; what they work on is promised past those."""

    wires: Wires
    tools: Tools
    broker: Broker
    # Both not over the wires.
    database: Database
    messages: Broker
    put: Put
    add_user: AddUser
    people: int = 0

    async def welcome(self, **how: Any) -> Any:
        """Promise a letter to somebody new; return the promise's id."""
        self.people += 1
        user_id = await self.add_user(email=f"letter{self.people}@example.com")
        return await self.put(SendWelcome(user_id), **how)


@pytest.fixture
async def scene(
    make_settings: MakeSettings, tools: Tools, broker: Broker, put: Put, add_user: AddUser
) -> AsyncIterator[Scene]:
    async with wires(make_settings()) as between:
        settings, metrics = make_settings(**between.settings), Metrics()
        database = await Database.open(
            settings.worker_database_url, keys=settings.keyring, metrics=metrics, name="test"
        )
        redis = Redis(settings.redis_url, metrics, timeout_ms=settings.redis_timeout_ms)
        ours = Broker(settings.redis_url)
        wired = replace(tools, settings=settings, database=database, redis=redis)
        yield Scene(between, wired, ours, tools.database, broker, put, add_user)
        await database.close()
        await redis.close()
        ours.close()
        ours.client.close()


async def _empty_look(scene: Scene) -> Ask:
    return await _relaying(scene, letters=0)


async def _batch(scene: Scene) -> Ask:
    return await _relaying(scene, letters=_BATCH)


async def _relaying(scene: Scene, *, letters: int) -> Ask:
    relay = Relay(scene.tools, scene.broker)
    await relay.relay_once()  # by now it knows how much room there is
    scene.messages.client.flushdb()
    for _ in range(letters):
        await scene.welcome()

    async def ask() -> None:
        assert await relay.relay_once() == letters

    return ask


async def _picking_up(scene: Scene) -> Ask:
    await (await _batch(scene))()

    async def ask() -> None:
        fetch = partial(scene.broker.pick_up, "emails", _BATCH, over=(), turn=0)
        assert len(await asyncio.to_thread(fetch)) == _BATCH

    return ask


async def _bare_job(scene: Scene) -> Ask:
    return await _bare_jobs(scene, count=1)


async def _bare_jobs_at_once(scene: Scene) -> Ask:
    return await _bare_jobs(scene, count=_BATCH)


async def _bare_jobs(scene: Scene, *, count: int) -> Ask:
    work = Noting()
    ids = [await scene.put(Try(number), handed_over=True) for number in range(count)]
    runs = runner(scene.tools, work)

    async def ask() -> None:
        await asyncio.gather(*(runs.run(promise_id) for promise_id in ids))
        assert len(work.did) == count

    return ask


async def _letter(scene: Scene) -> Ask:
    runs = Runner(scene.tools, {SendWelcome.name: (SendWelcome, send_welcome)})
    return partial(runs.run, await scene.welcome(handed_over=True))


async def _sealing(scene: Scene) -> Ask:
    async with scene.database.transaction() as storage:
        for _ in range(_BATCH):
            await storage.audit.note("user.changed", subject=new_id())
    runs = Runner(scene.tools, {SealAudit.name: (SealAudit, seal_audit)})
    return partial(runs.run, await scene.put(SealAudit(), handed_over=True))


_WORK: dict[str, Callable[[Scene], Awaitable[Ask]]] = {
    "relay: a look, nothing is due": _empty_look,
    f"relay: a batch of {_BATCH} promises": _batch,
    f"worker: picking {_BATCH} messages up": _picking_up,
    "worker: a job that does nothing": _bare_job,
    f"worker: {_BATCH} of them at once": _bare_jobs_at_once,
    "worker: the welcome letter": _letter,
    f"worker: sealing {_BATCH} audit events": _sealing,
}


@pytest.mark.parametrize("name", _WORK)
async def test_the_pipeline_costs_what_is_written(scene: Scene, name: str) -> None:
    await check((name, "-"), scene.wires, partial(_WORK[name], scene))


def test_every_piece_of_work_of_the_page_is_counted() -> None:
    works = {name for name, _ in budget() if name.startswith(("relay:", "worker:"))}

    assert works == {*_WORK}
