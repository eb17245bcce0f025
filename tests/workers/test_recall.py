"""Recall: what Redis lost is offered again, and what it has is left there."""

from typing import Any

import pytest

from storage.outbox import Due
from tests.workers.conftest import Hold, Put, Row
from tests.workers.trying import Try
from workers.broker import Broker
from workers.relay import Relay
from workers.toolbox import Tools

_MANY = """
WITH made AS (
    INSERT INTO outbox (id, queue, name, body)
    SELECT gen_random_uuid(), 'emails', 'emails.try', '{}' FROM generate_series(1, $1) RETURNING id
)
SELECT array_agg(id) FROM made
"""


@pytest.fixture
def relay(tools: Tools, broker: Broker) -> Relay:
    return Relay(tools, broker)


def queued(broker: Broker) -> list[str]:
    ids: Any = broker.client.lrange("dramatiq:emails", 0, -1)
    return [found.decode() for found in ids]


async def aged(owner: Any, age: str) -> None:
    await owner.execute("UPDATE outbox SET handed_at = now() - $1::text::interval", age)


async def test_what_a_dead_relay_took_is_recalled_after_five_seconds(
    tools: Tools, put: Put, owner: Any, relay: Relay, broker: Broker
) -> None:
    promise_id = await put(Try())
    async with tools.database.reading() as storage:
        assert [due.id for due in await storage.outbox.claim_due(10)] == [promise_id]  # and dies

    assert await relay.relay_once() == 0
    assert await relay.recall_once() == 0
    await aged(owner, "6 seconds")

    assert await relay.recall_once() == 1
    assert await relay.relay_once() == 1
    assert queued(broker) == [str(promise_id)]


async def test_what_a_worker_has_is_not_taken_back_when_the_offer_seemed_to_fail(
    tools: Tools, put: Put, row: Row, hold: Hold
) -> None:
    promise_id = await put(Try())
    async with tools.database.reading() as storage:
        await storage.outbox.claim_due(10)
        await hold(promise_id)

        await storage.outbox.recall([promise_id])

    assert (await row(promise_id))["state"] == "handed_over"


async def test_what_redis_lost_is_recalled(
    put: Put, owner: Any, row: Row, relay: Relay, broker: Broker
) -> None:
    promise_id = await put(Try())
    await relay.relay_once()
    broker.client.flushdb()
    assert await relay.recall_once() == 0  # five seconds are given to whoever is on the way
    await aged(owner, "6 seconds")

    assert await relay.recall_once() == 1

    assert (await row(promise_id))["state"] == "pending"
    assert await relay.relay_once() == 1
    assert queued(broker) == [str(promise_id)]


async def test_what_still_lies_in_redis_waits_for_its_turn(
    put: Put, owner: Any, row: Row, relay: Relay
) -> None:
    promise_id = await put(Try())
    await relay.relay_once()
    await aged(owner, "4 minutes")

    assert await relay.recall_once() == 0
    assert (await row(promise_id))["state"] == "handed_over"


async def test_after_five_minutes_it_is_offered_again_whatever_redis_has(
    put: Put, owner: Any, relay: Relay, broker: Broker
) -> None:
    promise_id = await put(Try())
    await relay.relay_once()
    await aged(owner, "6 minutes")

    assert await relay.recall_once() == 1
    assert await relay.relay_once() == 1
    assert broker.client.hlen("dramatiq:emails.msgs") == 1  # one message, two places in the queue
    assert queued(broker) == [str(promise_id)] * 2


async def test_what_redis_lost_is_recalled_from_behind_a_thousand_that_wait(
    put: Put, owner: Any, row: Row, relay: Relay, broker: Broker
) -> None:
    ids = await owner.fetchval(_MANY, 1_000)
    broker.offer([Due(promise_id, "emails", Try.name) for promise_id in ids])
    lost = await put(Try())
    await owner.execute("UPDATE outbox SET state = 'handed_over', handed_at = now()")
    await aged(owner, "6 seconds")
    await owner.execute(
        "UPDATE outbox SET handed_at = handed_at - interval '1 minute' WHERE id <> $1", lost
    )

    assert await relay.recall_once() == 1

    assert (await row(lost))["state"] == "pending"


async def test_what_was_handed_over_in_one_moment_is_recalled_however_much_it_is(
    owner: Any, relay: Relay
) -> None:
    await owner.fetchval(_MANY, 1_003)
    await owner.execute("UPDATE outbox SET state = 'handed_over', handed_at = now()")
    await aged(owner, "6 seconds")

    assert await relay.recall_once() == 1_003


async def test_a_queue_without_workers_fills_no_list_of_redis(
    owner: Any, relay: Relay, broker: Broker
) -> None:
    await owner.fetchval(_MANY, 600)

    for _ in range(5):
        while await relay.relay_once():
            pass
        await aged(owner, "6 minutes")
        await relay.recall_once()

    assert broker.client.hlen("dramatiq:emails.msgs") == 600
    assert len(queued(broker)) <= 1_000


async def test_what_somebody_works_on_is_not_recalled(
    put: Put, owner: Any, hold: Hold, relay: Relay, broker: Broker
) -> None:
    promise_id = await put(Try())
    await relay.relay_once()
    await hold(promise_id)
    broker.client.flushdb()
    await aged(owner, "6 minutes")

    assert await relay.recall_once() == 0
