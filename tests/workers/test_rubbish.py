"""A real worker process and a broker full of what no relay ever put there."""

import json
import time
from typing import Any
from uuid import UUID

import pytest

from tests.workers.conftest import Welcome
from tests.workers.processes import Start, eventually
from tests.workers.smtp import Sink
from workers.broker import Broker
from workers.relay import Relay
from workers.toolbox import Tools

QUEUE = "dramatiq:emails"
ODD_IDS: dict[str, bytes] = {
    "bytes of no text": b"\xff\xfe\x80",
    "nothing": b"",
    "very long": b"x" * 100_000,
    "of another kind": b"dramatiq:emails.msgs",
}


def message(promise_id: UUID, **changes: Any) -> bytes:
    fields = {
        "queue_name": "emails",
        "actor_name": "emails.welcome",
        "args": [],
        "kwargs": {"promise_id": str(promise_id)},
        "options": {"redis_message_id": str(promise_id)},
        "message_id": str(promise_id),
        "message_timestamp": 1,
    }
    return json.dumps(fields | changes).encode()


@pytest.mark.parametrize("body", [b"\x80\x04 rubbish", None], ids=["rubbish", "no body"])
@pytest.mark.parametrize("odd_id", ODD_IDS.values(), ids=ODD_IDS)
async def test_an_odd_id_in_the_broker_delays_nobody(  # noqa: PLR0913, PLR0917 - two doors, two sides
    start: Start,
    welcome: Welcome,
    broker: Broker,
    tools: Tools,
    sink: Sink,
    owner: Any,
    odd_id: bytes,
    body: bytes | None,
) -> None:
    worker = await start("workers", "--queues", "emails", ready="working", SMTP_URL=sink.url)
    if body is not None:
        broker.client.hset(f"{QUEUE}.msgs", odd_id, body)
    broker.client.rpush(QUEUE, odd_id)
    promise_id = await welcome()
    before = time.monotonic()
    await Relay(tools, broker).relay_once()

    async def delivered() -> bool:
        return f"<{promise_id}@localhost>" in sink.ids

    async def put_away() -> bool:
        return bool(await owner.fetchval("SELECT count(*) FROM quarantine") >= (body is not None))

    await eventually(delivered)
    await eventually(put_away, 10)
    assert time.monotonic() - before < 10
    assert not worker.gone


async def test_what_is_ancient_done_already_or_promised_for_later_has_no_effect(  # noqa: PLR0913, PLR0917
    start: Start, welcome: Welcome, broker: Broker, tools: Tools, sink: Sink, owner: Any
) -> None:
    worker = await start("workers", "--queues", "emails", ready="working", SMTP_URL=sink.url)
    done, later, good = [await welcome() for _ in range(3)]
    await owner.execute("UPDATE outbox SET state = 'done', finished_at = now() WHERE id = $1", done)
    await owner.execute(
        "UPDATE outbox SET available_at = now() + interval '1 hour' WHERE id = $1", later
    )
    for promise_id in (done, later):
        key = str(promise_id)
        broker.client.hset(f"{QUEUE}.msgs", key, message(promise_id))
        broker.client.rpush(QUEUE, *[key] * 20)

    await Relay(tools, broker).relay_once()

    async def delivered() -> bool:
        return f"<{good}@localhost>" in sink.ids

    async def nothing_is_left() -> bool:
        return not broker.client.exists(QUEUE, f"{QUEUE}.msgs")

    assert await eventually(delivered, 10) < 10
    await eventually(nothing_is_left)
    assert not {f"<{done}@localhost>", f"<{later}@localhost>"} & {*sink.ids}
    assert not worker.gone


async def test_a_message_under_a_strange_id_is_put_away_for_good(  # noqa: PLR0913, PLR0917
    start: Start, welcome: Welcome, broker: Broker, tools: Tools, sink: Sink, owner: Any
) -> None:
    worker = await start("workers", "--queues", "emails", ready="working", SMTP_URL=sink.url)
    other, good = await welcome(), await welcome()
    await owner.execute(
        "UPDATE outbox SET state = 'done', finished_at = now() WHERE id = $1", other
    )
    upper, braced = str(other).upper().encode(), f"{{{other}}}".encode()
    for strange in (b"another", b"\xff\xfe", str(good).encode(), upper, braced):
        broker.client.hset(f"{QUEUE}.msgs", strange, message(other))
        broker.client.rpush(QUEUE, strange)

    async def put_away() -> bool:
        count = await owner.fetchval("SELECT count(*) FROM quarantine")
        assert count <= 5
        return bool(count == 5 and not broker.client.exists(QUEUE, f"{QUEUE}.msgs"))

    await eventually(put_away, 10)
    await Relay(tools, broker).relay_once()

    async def delivered() -> bool:
        return f"<{good}@localhost>" in sink.ids

    await eventually(delivered, 10)
    assert f"<{other}@localhost>" not in sink.ids
    assert not worker.gone
