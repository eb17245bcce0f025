"""Lanes: who waits goes before what many promised at once, and nobody waits for ever."""

from storage.jobs import SendReset, Urgency
from tests.workers.conftest import Hold, Put, Row
from tests.workers.trying import Try
from workers.toolbox import Tools

NOBODY = SendReset.from_body({"user_id": "00000000-0000-0000-0000-000000000000"})


async def test_a_job_is_as_urgent_as_its_kind_unless_its_promise_says_otherwise(
    tools: Tools, put: Put, row: Row
) -> None:
    ordinary, urgent = await put(Try()), await put(NOBODY)
    async with tools.database.transaction() as storage:
        bulk = await storage.outbox.put(NOBODY, urgency=Urgency.BULK)

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
