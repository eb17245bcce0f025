"""A worker process as such: how it starts, how it stops."""

import asyncio
import time
from typing import Any

from tests.factories import free_port
from tests.workers.conftest import Row, Welcome, done
from tests.workers.processes import Start, eventually
from tests.workers.smtp import Sink, listening
from workers.broker import Broker
from workers.relay import Relay
from workers.toolbox import Tools


async def test_a_worker_that_is_told_to_stop_finishes_its_letter(
    start: Start, welcome: Welcome, tools: Tools, broker: Broker, owner: Any
) -> None:
    async with listening(Sink(delay=0.5)) as slow:
        worker = await start("workers", "--queues", "emails", ready="working", SMTP_URL=slow.url)
        promise_id = await welcome()
        await Relay(tools, broker).relay_once()

        async def begun() -> bool:
            return slow.begun > 0

        await eventually(begun)
        code = await asyncio.to_thread(worker.stop)

    assert code == 0
    assert slow.ids == [f"<{promise_id}@localhost>"]
    assert await done(owner, 1)
    assert not [line for line in worker.events if line["level"] in {"error", "critical"}]


async def test_a_worker_told_to_stop_while_it_waits_for_its_database_ends_at_once(
    start: Start, migrated: None
) -> None:
    nowhere = f"postgresql://u:p@127.0.0.1:{free_port()}/x"
    worker = await start("workers", ready="", WORKER_DATABASE_URL=nowhere)

    async def waits() -> bool:
        return any("does not answer" in line["event"] for line in worker.events)

    await eventually(waits, 20)
    begun = time.monotonic()
    worker.stop()

    assert time.monotonic() - begun < 1
    assert not any(line["event"] == "working" for line in worker.events)


async def test_a_worker_that_cannot_open_its_tools_takes_no_message_and_ends(
    start: Start, migrated: None
) -> None:
    worker = await start("workers", ready="", METRICS_HOST="203.0.113.1")  # RFC 5737: nobody's

    async def has_ended() -> bool:
        return worker.gone

    await eventually(has_ended, 20)

    assert worker.process.returncode == 1
    assert not any(line["event"] == "working" for line in worker.events)


async def test_a_letter_that_takes_too_long_for_a_stop_is_put_back_for_another_worker(
    start: Start, welcome: Welcome, tools: Tools, broker: Broker, row: Row
) -> None:
    async with listening(Sink(delay=15)) as slow:
        worker = await start("workers", "--queues", "emails", ready="working", SMTP_URL=slow.url)
        promise_id = await welcome()
        await Relay(tools, broker).relay_once()

        async def begun() -> bool:
            return slow.begun > 0

        await eventually(begun)
        code = await asyncio.to_thread(worker.stop)

    kept = await row(promise_id)
    assert code == 0
    assert (kept["state"], kept["attempts"], kept["holder"]) == ("pending", 0, None)
    assert not [line for line in worker.events if line["level"] in {"error", "critical"}]
