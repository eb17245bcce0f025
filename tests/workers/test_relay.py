"""The relay: from the outbox to the broker in order, once, and back when the broker lost it."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

import pytest
import redis

from storage.jobs import NOBODY, Job, SendReset
from storage.outbox import Due
from tests.factories import free_port
from tests.workers.conftest import Put, Row
from tests.workers.processes import eventually
from workers.broker import Broker
from workers.lanes import bell
from workers.relay import Relay
from workers.toolbox import Tools


@dataclass(frozen=True, slots=True)
class Try(Job):
    """A job for trying the relay."""

    name: ClassVar[str] = "emails.try"


class Asked(Broker):
    """A broker that counts how often it is asked."""

    times = 0

    def offer(self, promises: Sequence[Due], count: Sequence[str] = ()) -> list[int]:
        """Offer promises."""
        self.times += 1
        return super().offer(promises, count)


@pytest.fixture
def relay(tools: Tools, broker: Broker) -> Relay:
    return Relay(tools, broker)


def queued(broker: Broker) -> list[str]:
    ids: Any = broker.client.lrange("dramatiq:emails", 0, -1)
    return [found.decode() for found in ids]


async def test_the_oldest_is_handed_over_first(
    tools: Tools, put: Put, owner: Any, relay: Relay, broker: Broker
) -> None:
    promises = [await put(Try()) for _ in range(20)]
    for age, promise_id in enumerate(promises):  # the last one is the oldest now
        at = datetime.now(UTC) - timedelta(minutes=age)
        await owner.execute("UPDATE outbox SET available_at = $2 WHERE id = $1", promise_id, at)

    assert await relay.relay_once() == 20

    assert queued(broker) == [str(promise_id) for promise_id in reversed(promises)]


async def test_a_batch_wakes_the_workers_of_its_queue(
    put: Put, row: Row, relay: Relay, broker: Broker
) -> None:
    promise_id = await put(Try())

    await relay.relay_once()

    assert broker.client.llen(bell("emails")) == 1
    assert (await row(promise_id))["state"] == "handed_over"


async def test_what_is_promised_for_later_waits(
    tools: Tools, put: Put, relay: Relay, broker: Broker
) -> None:
    async with tools.database.transaction() as storage:
        await storage.outbox.put(Try(), at=datetime.now(UTC) + timedelta(seconds=30))

    assert await relay.relay_once() == 0
    assert queued(broker) == []


async def test_what_is_rolled_back_was_never_promised(
    tools: Tools, relay: Relay, broker: Broker
) -> None:
    with suppress(ZeroDivisionError):
        async with tools.database.transaction() as storage:
            await storage.outbox.put(Try())
            raise ZeroDivisionError

    assert await relay.relay_once() == 0
    assert queued(broker) == []


async def test_two_relays_at_once_hand_over_each_once(
    tools: Tools, put: Put, broker: Broker
) -> None:
    promises = [await put(Try()) for _ in range(250)]
    relays = [Relay(tools, broker), Relay(tools, broker)]

    handed = await asyncio.gather(*(relay.relay_once() for relay in relays * 3))

    assert sum(handed) == 250
    assert sorted(queued(broker)) == sorted(map(str, promises))


async def test_two_relays_at_once_let_one_probe_of_a_paused_queue_out(
    tools: Tools, put: Put, owner: Any, broker: Broker
) -> None:
    promises = [await put(Try()) for _ in range(5)]
    async with tools.database.reading() as storage:
        await storage.pauses.pause("emails", "refused")
    await owner.execute("UPDATE queue_pauses SET until = now() - interval '1 second'")

    await asyncio.gather(*(Relay(tools, broker).relay_once() for _ in range(6)))

    assert queued(broker) == [str(promises[0])]


async def test_without_redis_nothing_is_handed_over(
    tools: Tools, put: Put, row: Row, relay: Relay, broker: Broker
) -> None:
    promise_id = await put(Try())
    nowhere = Broker(f"redis://127.0.0.1:{free_port()}")

    assert await Relay(tools, nowhere).relay_once() == 0

    assert (await row(promise_id))["state"] == "pending"
    assert await relay.relay_once() == 1
    assert queued(broker) == [str(promise_id)]


async def test_a_broker_that_holds_enough_of_a_lane_gets_no_more_of_it(
    put: Put, row: Row, relay: Relay, broker: Broker
) -> None:
    full = {f"m{number}": b"" for number in range(1_000)}
    broker.client.hset("dramatiq:emails.msgs", mapping=full)
    ordinary = await put(Try())
    urgent = await put(SendReset(NOBODY))

    assert await relay.relay_once() == 1

    assert (await row(ordinary))["state"] == "pending"
    assert (await row(urgent))["state"] == "handed_over"
    broker.client.delete("dramatiq:emails.msgs")
    assert await relay.relay_once() == 1


async def test_a_queue_with_a_huge_backlog_does_not_delay_another(
    put: Put, row: Row, relay: Relay, owner: Any
) -> None:
    await owner.execute(
        "INSERT INTO outbox (id, queue, name, body, available_at)"
        " SELECT gen_random_uuid(), 'emails', 'emails.try', '{}', now() - interval '1 hour'"
        " FROM generate_series(1, 5000)"
    )
    late = await put(SendReset(NOBODY))

    handed = await relay.relay_once()

    assert handed < 1_000
    assert (await row(late))["state"] == "handed_over"


async def test_a_relay_that_is_refused_asks_a_few_times_a_second_and_goes_on(
    tools: Tools, broker: Broker, put: Put
) -> None:
    await put(Try())
    broker.client.set("dramatiq:emails", "not a list")
    asked = Asked(tools.settings.redis_url)
    stop = asyncio.Event()
    running = asyncio.create_task(Relay(tools, asked).run(stop))
    await asyncio.sleep(1)  # what is measured is time itself

    broker.client.delete("dramatiq:emails")
    await eventually(lambda: asyncio.to_thread(queued, broker))
    stop.set()
    await asyncio.wait_for(running, 3)
    asked.close()
    asked.client.close()

    assert asked.times < 10


async def test_a_relay_that_runs_is_woken_by_the_commit(
    tools: Tools, put: Put, relay: Relay, broker: Broker, owner: Any
) -> None:
    tools.database.ring_with(tools.redis.ring_relay)
    stop = asyncio.Event()
    running = asyncio.create_task(relay.run(stop))
    took = []

    async def handed() -> bool:
        return not await owner.fetchval("SELECT count(*) FROM outbox WHERE state = 'pending'")

    for _ in range(5):
        await put(Try())
        took.append(await eventually(handed))
    stop.set()
    await asyncio.wait_for(running, 3)

    assert sorted(took)[2] < 0.2  # polling alone would take 125 ms on average, and up to 250
    assert len(queued(broker)) == 5


async def test_offering_raises_and_loses_nothing_when_redis_refuses(
    tools: Tools, put: Put, row: Row, broker: Broker
) -> None:
    promise_id: UUID = await put(Try())
    broker.client.set("dramatiq:emails", "not a list")

    with pytest.raises(redis.RedisError):
        broker.offer([Due(promise_id, "emails", Try.name)])
    assert await Relay(replace(tools), broker).relay_once() == 0

    assert (await row(promise_id))["state"] == "pending"
