"""A real worker process: messages of nobody, how fast it starts and how quietly it waits."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from ops.logging import get_logger
from tests.nursery import Forking
from tests.workers.conftest import Welcome, done
from tests.workers.processes import Running, Start, eventually, starting
from tests.workers.smtp import Sink
from workers.broker import Broker
from workers.lanes import bell
from workers.relay import Relay
from workers.toolbox import Tools

_log = get_logger()

QUEUE = "dramatiq:emails"


@pytest.fixture(scope="module")
async def worker(
    environ: dict[str, str], migrated: None, sink: Sink, forking: Forking
) -> AsyncIterator[Running]:
    with starting(environ, forking) as start:
        yield await start(
            "workers", "--queues", "emails", ready="working", SMTP_URL=sink.url, LOG_LEVEL="info"
        )


def message(promise_id: UUID, **changes: Any) -> dict[str, Any]:
    """Return a message as the relay makes it, with changes."""
    return {
        "queue_name": "emails",
        "actor_name": "emails.welcome",
        "args": [],
        "kwargs": {"promise_id": str(promise_id)},
        "options": {"redis_message_id": str(promise_id)},
        "message_id": str(promise_id),
        "message_timestamp": 1,
    } | changes


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


A = UUID(int=7)
MALFORMED: dict[str, bytes] = {
    "no JSON": b"\x80\x04\x95pickle",
    "no text": b"\xff\xfe\x00",
    "empty": b"",
    "NUL": b"\x00" * 40,
    "a list": b"[]",
    "deep": nested(3_000),
    "no fields": b"{}",
    "oversized": json.dumps(message(A) | {"args": ["x" * 1_000_000]}).encode(),
    "unknown actor": json.dumps(message(A, actor_name="emails.of\u0000fer")).encode(),
    "actor of another queue": json.dumps(message(A, actor_name="sessions.cleanup")).encode(),
    "actor that is a list": json.dumps(message(A, actor_name=["emails.welcome"])).encode(),
    "another queue": json.dumps(message(A, queue_name="sessions")).encode(),
    "wrong arguments": json.dumps(message(A, args=[1])).encode(),
    "more arguments": json.dumps(message(A, kwargs={"promise_id": str(A), "x": 1})).encode(),
    "no promise": json.dumps(message(A, kwargs={})).encode(),
    "no id": json.dumps(message(A, kwargs={"promise_id": "1; DROP TABLE outbox"})).encode(),
    "another id": json.dumps(message(A, kwargs={"promise_id": str(UUID(int=8))})).encode(),
    "ids that are none": json.dumps(
        message(A, message_id=7, kwargs={"promise_id": 7}, options={"redis_message_id": 7})
    ).encode(),
    "delayed": json.dumps(
        message(A, options={"redis_message_id": str(A), "eta": 9_999_999_999_999})
    ).encode(),
    "an option of its own": json.dumps(
        message(A, options={"redis_message_id": str(A), "throws": "x", "pipe_target": {}})
    ).encode(),
    "options that are none": json.dumps(message(A, options="redis_message_id")).encode(),
    "unknown field": json.dumps(message(A) | {"more": 1}).encode(),
}


@pytest.mark.usefixtures("worker")
async def test_messages_of_nobody_are_quarantined_and_delay_no_good_one(
    welcome: Welcome, broker: Broker, tools: Tools, sink: Sink, owner: Any
) -> None:
    before = len(sink.letters)
    promise_id = await welcome()
    pipeline = broker.client.pipeline()
    for number, raw in enumerate(MALFORMED.values()):
        pipeline.hset(f"{QUEUE}.msgs", f"bad{number}", raw)
        pipeline.rpush(QUEUE, f"bad{number}")
    pipeline.rpush(QUEUE, "nothing behind this id")
    pipeline.execute()
    await Relay(tools, broker).relay_once()  # the good one stands behind all of them

    async def delivered() -> bool:
        return f"<{promise_id}@localhost>" in sink.ids[before:]

    async def quarantined() -> bool:
        return bool(await owner.fetchval("SELECT count(*) FROM quarantine") >= len(MALFORMED))

    async def nothing_is_left() -> bool:
        return not broker.client.exists(QUEUE, f"{QUEUE}.msgs") and not list(
            broker.client.scan_iter("dramatiq:__acks__*")
        )

    assert await eventually(delivered) < 2
    await eventually(quarantined)
    await eventually(nothing_is_left)

    kept = await owner.fetch("SELECT * FROM quarantine ORDER BY id")
    assert [row["size"] for row in kept] == [len(raw) for raw in MALFORMED.values()]
    heads = [raw[:2_048] for raw in MALFORMED.values()]
    assert [row["head"] for row in kept] == heads
    assert {row["queue"] for row in kept} == {"emails"}
    assert len(sink.letters) == before + 1


async def test_a_message_of_a_promise_nobody_made_is_dropped(
    worker: Running, broker: Broker, sink: Sink, owner: Any, clean: None
) -> None:
    before, promise_id = len(sink.letters), uuid4()
    broker.client.hset(f"{QUEUE}.msgs", str(promise_id), json.dumps(message(promise_id)))
    broker.client.rpush(QUEUE, str(promise_id))
    broker.client.lpush(bell("emails"), 1)

    async def dropped() -> bool:
        return not broker.client.exists(QUEUE, f"{QUEUE}.msgs")

    await eventually(dropped)

    assert len(sink.letters) == before
    assert await owner.fetchval("SELECT count(*) FROM quarantine") == 0


@pytest.mark.usefixtures("worker")
async def test_one_message_in_three_copies_is_one_letter(
    welcome: Welcome, broker: Broker, tools: Tools, sink: Sink, owner: Any
) -> None:
    before, promise_id = len(sink.letters), await welcome()
    async with tools.database.reading() as storage:
        due = await storage.outbox.claim_due(10)
    for _ in range(3):
        broker.offer(due)

    await eventually(lambda: done(owner, 1))

    assert sink.ids[before:] == [f"<{promise_id}@localhost>"]


@pytest.mark.usefixtures("worker")
async def test_messages_fetched_by_an_answer_that_got_lost_are_not_lost(
    welcome: Welcome, broker: Broker, tools: Tools, sink: Sink
) -> None:
    before, promise_id = len(sink.letters), await welcome()
    async with tools.database.reading() as storage:
        await storage.outbox.claim_due(10)

    async def beats() -> bool:
        return bool(broker.client.zcard("dramatiq:__heartbeats__"))

    await eventually(beats)
    (worker_id,) = broker.client.zrange("dramatiq:__heartbeats__", 0, -1)
    broker.client.hset(f"{QUEUE}.msgs", str(promise_id), json.dumps(message(promise_id)))
    broker.client.sadd(f"dramatiq:__acks__.{worker_id.decode()}.emails", str(promise_id))

    async def delivered() -> bool:
        return sink.ids[before:] == [f"<{promise_id}@localhost>"]

    await eventually(delivered, 5)


async def test_a_job_starts_within_milliseconds_of_its_commit(
    worker: Running, welcome: Welcome, start: Start, tools: Tools, owner: Any
) -> None:
    await start("workers.relay", ready="relaying")
    tools.database.ring_with(tools.redis.ring_relay)
    waits = []

    for number in range(1, 41):
        promise_id = await welcome()
        committed = time.time()
        await eventually(lambda number=number: done(owner, number))  # type: ignore[misc]
        begun = await owner.fetchval(
            "SELECT extract(epoch FROM created_at)::float8 FROM letters WHERE id = $1", promise_id
        )
        waits.append(begun - committed)

    waits.sort()
    _log.info("commit to start", p50=waits[20], p95=waits[37], longest=waits[-1])
    assert waits[20] < 0.1


async def test_a_worker_that_waits_asks_redis_a_few_times_a_second(
    worker: Running, broker: Broker, clean: None
) -> None:
    before = calls(broker)
    await asyncio.sleep(3)  # what is measured is time itself

    a_second = (calls(broker) - before) / 3
    _log.info("an idle worker", commands_a_second=round(a_second, 1))
    assert a_second < 10


def calls(broker: Broker) -> int:
    stats: Any = broker.client.info("stats")
    return int(stats["total_reads_processed"])  # what a script calls within Redis is no question
