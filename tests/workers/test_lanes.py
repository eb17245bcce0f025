"""Lanes: who waits goes before what many promised at once, and nobody waits for ever."""

import asyncio
import time
from collections import Counter
from typing import Any
from uuid import UUID

import dramatiq
import time_machine

from ops.ids import new_id
from ops.logging import get_logger
from storage.jobs import NOBODY, SendReset, Urgency
from storage.outbox import Due
from tests.conftest import MakeSettings
from tests.workers.conftest import Hold, Put, Row
from tests.workers.processes import Start, eventually
from tests.workers.trying import Noting, Try, runner
from workers.broker import Broker
from workers.relay import Relay
from workers.toolbox import Tools

_BULK = """
INSERT INTO outbox (id, queue, name, body, urgency, available_at)
SELECT gen_random_uuid(), 'passwords', 'passwords.reset', jsonb_build_object('user_id', $2::text),
    2, now() - interval '1 hour'
FROM generate_series(1, $1)
"""
_COUNT_DONE = "SELECT count(*) FROM outbox WHERE state = 'done'"
_DONE_BEFORE = """
SELECT count(*) FROM outbox
WHERE state = 'done' AND finished_at < (SELECT finished_at FROM outbox WHERE id = $1)
"""
_HOLD = """
INSERT INTO queue_pauses (queue, until, reason, held)
VALUES ('emails', now() - interval '1 minute', 'an administrator said so', true)
"""
RESET = SendReset(NOBODY)

_log = get_logger()


async def _done(owner: Any, count: int) -> bool:
    return bool(await owner.fetchval(_COUNT_DONE) >= count)


async def _is_done(owner: Any, promise_id: UUID) -> bool:
    return bool(await owner.fetchval("SELECT state = 'done' FROM outbox WHERE id = $1", promise_id))


async def test_a_job_is_as_urgent_as_its_kind_unless_its_promise_says_otherwise(
    tools: Tools, put: Put, row: Row
) -> None:
    ordinary, urgent = await put(Try()), await put(RESET)
    async with tools.database.transaction() as storage:
        bulk = await storage.outbox.put(RESET, urgency=Urgency.BULK)

    promises = [(await row(promise_id))["urgency"] for promise_id in (ordinary, urgent, bulk)]
    assert promises == [Urgency.ORDINARY, Urgency.URGENT, Urgency.BULK]


async def test_a_long_job_says_how_far_it_is(tools: Tools, put: Put, row: Row, hold: Hold) -> None:
    promise = await hold(await put(Try()))

    async with tools.database.reading() as storage:
        assert await storage.outbox.progress(promise, done=3, total=10)

    kept = await row(promise.id)
    assert (kept["progress_done"], kept["progress_total"]) == (3, 10)


async def test_who_lost_the_promise_cannot_say_how_far_it_is(
    tools: Tools, put: Put, row: Row, hold: Hold
) -> None:
    promise = await hold(await put(Try()))
    async with tools.database.reading() as storage:
        await storage.outbox.put_back(promise, seconds=0, counted=False)

        assert not await storage.outbox.progress(promise, done=3, total=10)

    assert (await row(promise.id))["progress_done"] is None


async def test_a_reset_letter_behind_two_thousand_in_bulk_is_among_the_next_to_go_out(
    tools: Tools, put: Put, owner: Any, start: Start
) -> None:
    await owner.execute(_BULK, 2_000, str(NOBODY))
    await start("workers", "--queues", "passwords", ready="working")
    await start("workers.relay", ready="relaying")
    tools.database.ring_with(tools.redis.ring_relay)
    await eventually(lambda: _done(owner, 50))

    promised_after = await owner.fetchval(_COUNT_DONE)
    promise_id = await put(RESET)
    await eventually(lambda: _is_done(owner, promise_id))

    before = await owner.fetchval(_DONE_BEFORE, promise_id)
    _log.info("urgent behind bulk", promised_after=promised_after, position=before - promised_after)
    assert before < 1_900
    assert before - promised_after < 150


async def test_of_ten_messages_picked_up_each_lane_begins_one(broker: Broker, clean: None) -> None:
    for urgency in Urgency:
        broker.offer([Due(new_id(), "emails", "emails.try", urgency) for _ in range(40)])

    fetched = broker.pick_up("emails", 40, over=(), turn=0)

    counted = Counter(each.lane for each in fetched)
    assert counted == {"emails.urgent": 32, "emails": 4, "emails.bulk": 4}
    assert [each.lane for each in fetched[:4]] == ["emails.urgent"] * 4


async def test_where_the_turn_was_left_the_next_pick_up_goes_on(
    broker: Broker, clean: None
) -> None:
    for urgency in Urgency:
        broker.offer([Due(new_id(), "emails", "emails.try", urgency) for _ in range(10)])

    fetched = [broker.pick_up("emails", 1, over=(), turn=turn)[0].lane for turn in range(10)]

    assert fetched.count("emails.urgent") == 8
    assert (fetched[4], fetched[9]) == ("emails", "emails.bulk")


async def test_an_empty_lane_gives_its_turn_to_the_next(broker: Broker, clean: None) -> None:
    broker.offer([Due(new_id(), "emails", "emails.try", Urgency.BULK) for _ in range(20)])

    assert len(broker.pick_up("emails", 20, over=(), turn=0)) == 20


async def test_messages_of_a_worker_that_died_go_back_to_their_lane(
    broker: Broker, make_settings: MakeSettings, clean: None
) -> None:
    due = [Due(new_id(), "emails", "emails.try", urgency) for urgency in Urgency]
    broker.offer(due)
    taken = broker.pick_up("emails", 3, over=(), turn=0)
    broker.client.zadd("dramatiq:__heartbeats__", {broker.broker_id: 1})
    heir = Broker(make_settings().redis_url)

    again = heir.pick_up("emails", 3, over=(), turn=0)

    assert [each.raw for each in again] == [each.raw for each in taken]
    assert {each.lane for each in again} == {"emails.urgent", "emails", "emails.bulk"}
    heir.close()
    heir.client.close()


async def test_a_clock_that_is_ahead_takes_no_living_worker_for_dead(
    broker: Broker, make_settings: MakeSettings, clean: None
) -> None:
    broker.offer([Due(new_id(), "emails", "emails.try")])
    [taken] = broker.pick_up("emails", 1, over=(), turn=0)
    ahead = Broker(make_settings().redis_url)

    with time_machine.travel(time.time() + 3_600):
        theirs = ahead.pick_up("emails", 1, over=(), turn=0)
    ahead.close()
    ahead.client.close()

    assert taken.lane == "emails"
    assert theirs == []


async def test_what_an_answer_that_got_lost_left_here_is_found_while_a_job_runs(
    broker: Broker, clean: None
) -> None:
    dramatiq.actor(print, broker=broker, actor_name="emails.try", queue_name="emails")
    lost = new_id()
    broker.in_flight["emails"].begin(str(new_id()), "emails")
    consumer = broker.consume("emails", prefetch=4, timeout=100)
    broker.offer([Due(lost, "emails", "emails.try")])
    broker.pick_up("emails", 1, over=(), turn=0)  # and nobody hears of it

    async def found() -> bool:
        message = await asyncio.to_thread(next, consumer)
        return message is not None and message.message_id == str(lost)

    await eventually(found, 5)


async def test_of_a_queue_that_is_held_neither_promise_nor_probe_goes_out(
    tools: Tools, put: Put, row: Row, owner: Any, broker: Broker
) -> None:
    promise_id = await put(Try())
    await owner.execute(_HOLD)

    assert await Relay(tools, broker).relay_once() == 0
    assert (await row(promise_id))["state"] == "pending"


async def test_what_was_recalled_of_a_paused_queue_goes_back_and_asks_no_server(
    tools: Tools, put: Put, row: Row, owner: Any
) -> None:
    promise_id, work = await put(Try(), handed_over=True), Noting()
    async with tools.database.reading() as storage:
        await storage.pauses.pause("emails", "refused")
        await storage.outbox.recall([promise_id])

    await runner(tools, work).run(promise_id)

    assert work.did == []
    assert (await row(promise_id))["attempts"] == 0


async def test_what_was_handed_over_before_its_queue_was_held_is_put_back_uncounted(
    tools: Tools, put: Put, row: Row, owner: Any
) -> None:
    await owner.execute(_HOLD)
    promise_id, work = await put(Try(), handed_over=True), Noting()
    await owner.execute("UPDATE outbox SET state = 'handed_over', handed_at = now()")

    await runner(tools, work).run(promise_id)

    kept = await row(promise_id)
    assert work.did == []
    assert (kept["state"], kept["attempts"], kept["holder"]) == ("pending", 0, None)
