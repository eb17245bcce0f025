"""The runner: one effect however often a promise is delivered, and every way a job can end."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from ops.errors import Unavailable
from storage.outbox import Promise
from tests.workers.conftest import Hold, Put, Row
from tests.workers.processes import eventually
from tests.workers.trying import Noting, Try, Waiting, raising, runner
from workers.outcomes import GivenUp
from workers.runner import Runner, Timing
from workers.toolbox import Tools

QUICK = Timing(lease=0.6, renew=0.1, insist=8)


async def test_twenty_runners_at_once_do_a_promise_once(tools: Tools, put: Put, row: Row) -> None:
    promise_id, work = await put(Try(7), handed_over=True), Noting()

    await asyncio.gather(*(runner(tools, work).run(promise_id) for _ in range(20)))

    assert work.did == [7]
    kept = await row(promise_id)
    assert (kept["state"], kept["attempts"], kept["crashes"]) == ("done", 1, 0)
    assert kept["finished_at"]


async def test_a_promise_that_is_done_is_not_done_again(tools: Tools, put: Put) -> None:
    promise_id, work = await put(Try(7)), Noting()

    for _ in range(3):
        await runner(tools, work).run(promise_id)

    assert work.did == [7]


async def test_a_promise_nobody_made_does_nothing(tools: Tools, put: Put, hold: Hold) -> None:
    work = Noting()

    await runner(tools, work).run((await hold(await put(Try()))).holder)

    assert work.did == []


async def test_only_the_holder_settles(tools: Tools, put: Put, row: Row, owner: Any) -> None:
    promise_id, work = await put(Try()), Waiting()
    running = asyncio.create_task(runner(tools, work, Timing(renew=60)).run(promise_id))
    await work.begun.wait()
    await owner.execute("UPDATE outbox SET holder = gen_random_uuid()")

    work.may_end.set()
    await running

    assert (await row(promise_id))["state"] == "pending"


async def test_who_loses_the_lease_stops(tools: Tools, put: Put, row: Row, owner: Any) -> None:
    promise_id, work = await put(Try()), Waiting()
    running = asyncio.create_task(runner(tools, work, QUICK).run(promise_id))
    await work.begun.wait()

    await owner.execute("UPDATE outbox SET holder = gen_random_uuid()")
    await asyncio.wait_for(running, 2)

    assert (await row(promise_id))["state"] == "pending"


async def test_a_long_job_keeps_its_lease(tools: Tools, put: Put, row: Row) -> None:
    promise_id, work = await put(Try(7)), Waiting()
    running = asyncio.create_task(runner(tools, work, QUICK).run(promise_id))
    await work.begun.wait()
    first = (await row(promise_id))["run_until"]

    async def renewed_past_the_first_lease() -> bool:
        renewed = (await row(promise_id))["run_until"] - first
        return bool(renewed.total_seconds() > 1.2 * QUICK.lease)

    await eventually(renewed_past_the_first_lease)
    other = Noting()
    await runner(tools, other).run(promise_id)
    work.may_end.set()
    await running

    assert other.did == []
    assert (await row(promise_id))["state"] == "done"


async def test_the_third_worker_that_vanishes_ends_the_promise(
    tools: Tools, put: Put, row: Row, hold: Hold, owner: Any
) -> None:
    promise_id, work = await put(Try()), Noting()
    for _ in range(3):
        await hold(promise_id)
        await owner.execute("UPDATE outbox SET run_until = now() - interval '1 second'")

    await runner(tools, work).run(promise_id)

    kept = await row(promise_id)
    assert work.did == []
    assert (kept["state"], kept["last_error"]) == ("dead", "its worker vanished 3 times")


async def test_two_workers_that_vanish_are_forgiven(
    tools: Tools, put: Put, row: Row, hold: Hold, owner: Any
) -> None:
    promise_id, work = await put(Try(7)), Noting()
    for _ in range(2):
        await hold(promise_id)
        await owner.execute("UPDATE outbox SET run_until = now() - interval '1 second'")

    await runner(tools, work).run(promise_id)

    assert work.did == [7]
    assert (await row(promise_id))["state"] == "done"


async def test_failures_back_off_ever_longer_and_end_as_dead(
    tools: Tools, put: Put, row: Row, owner: Any
) -> None:
    promise_id = await put(Try())
    failing = runner(tools, raising(ValueError("no\x00 luck\udce7")))
    waits = []

    for _ in range(Try.max_attempts):
        await owner.execute("UPDATE outbox SET available_at = now()")
        await failing.run(promise_id)
        kept = await row(promise_id)
        waits.append(kept["seconds"])

    for wait, low in zip(waits[:-1], (5, 10, 15, 15), strict=True):
        assert 0.9 * low < wait <= 2 * low
    assert kept["state"] == "dead"
    assert kept["attempts"] == Try.max_attempts
    assert kept["last_error"] == "ValueError: no luck"


async def test_waits_differ_so_that_failures_do_not_come_back_together(
    tools: Tools, put: Put, row: Row
) -> None:
    promises = [await put(Try()) for _ in range(5)]

    for promise_id in promises:
        await runner(tools, raising(ValueError())).run(promise_id)

    assert len({round((await row(promise_id))["seconds"], 2) for promise_id in promises}) > 1


async def test_a_second_copy_of_the_message_does_not_cut_a_back_off_short(
    tools: Tools, put: Put, row: Row
) -> None:
    promise_id, work = await put(Try()), Noting()
    await runner(tools, raising(ValueError())).run(promise_id)

    await runner(tools, work).run(promise_id)

    assert work.did == []
    assert (await row(promise_id))["state"] == "pending"


async def test_what_is_given_up_is_dead_at_once(tools: Tools, put: Put, row: Row) -> None:
    promise_id = await put(Try())

    await runner(tools, raising(GivenUp("550 no such mailbox"))).run(promise_id)

    kept = await row(promise_id)
    assert (kept["state"], kept["attempts"]) == ("dead", 1)
    assert kept["last_error"] == "550 no such mailbox"


async def test_a_body_that_is_not_the_jobs_is_dead_at_once(
    tools: Tools, put: Put, row: Row, owner: Any
) -> None:
    work = Noting()
    for body in ('{"other": 1}', "{}", "[]", "7", "null"):
        promise_id = await put(Try())
        await owner.execute(
            "UPDATE outbox SET body = $2::text::jsonb WHERE id = $1", promise_id, body
        )

        await runner(tools, work).run(promise_id)

        assert (await row(promise_id))["state"] == "dead", body
    assert work.did == []


async def test_a_job_of_a_later_release_waits_for_a_worker_that_knows_it(
    tools: Tools, put: Put, row: Row
) -> None:
    promise_id = await put(Try())

    await Runner(tools, {}).run(promise_id)

    kept = await row(promise_id)
    assert (kept["state"], kept["attempts"]) == ("pending", 0)
    assert 50 < kept["seconds"] <= 60


async def test_a_job_over_its_time_has_failed(tools: Tools, put: Put, row: Row) -> None:
    class Brief(Try):
        time_limit = 0.1

    promise_id, work = await put(Brief()), Waiting()

    await Runner(tools, {Try.name: (Brief, work)}).run(promise_id)

    kept = await row(promise_id)
    assert (kept["state"], kept["attempts"]) == ("pending", 1)
    assert kept["last_error"].startswith("TimeoutError")


async def test_a_worker_that_stops_puts_back_what_it_does(tools: Tools, put: Put, row: Row) -> None:
    promise_id, work = await put(Try()), Waiting()
    stopping = runner(tools, work)
    running = asyncio.create_task(stopping.run(promise_id))
    await work.begun.wait()

    stopping.cancel()
    await running

    kept = await row(promise_id)
    assert (kept["state"], kept["attempts"], kept["holder"]) == ("pending", 0, None)
    assert kept["seconds"] <= 0


async def test_a_job_cancelled_from_within_has_failed(tools: Tools, put: Put, row: Row) -> None:
    async def work(_: Try, __: Promise, ___: Tools) -> None:
        raise asyncio.CancelledError

    promise_id = await put(Try())

    await runner(tools, work).run(promise_id)

    kept = await row(promise_id)
    assert (kept["state"], kept["attempts"]) == ("pending", 1)
    assert kept["seconds"] > 0


async def test_a_job_that_finds_postgresql_away_is_put_back_uncounted(
    tools: Tools, put: Put, row: Row
) -> None:
    promise_id = await put(Try())

    await runner(tools, raising(Unavailable())).run(promise_id)

    kept = await row(promise_id)
    assert (kept["state"], kept["attempts"]) == ("pending", 0)
    assert 0 < kept["seconds"] <= 1


async def test_an_ending_is_written_down_as_soon_as_there_is_a_connection(
    tools: Tools, put: Put, row: Row
) -> None:
    promise_id, work = await put(Try()), Waiting()
    running = asyncio.create_task(runner(tools, work, Timing(renew=60)).run(promise_id))
    await work.begun.wait()

    async with AsyncExitStack() as all_connections:
        for _ in range(20):
            await all_connections.enter_async_context(tools.database.reading())
        work.may_end.set()
        await asyncio.wait({running}, timeout=1.3)  # longer than one try for a connection

        assert not running.done()
        assert (await row(promise_id))["state"] == "pending"

    await running
    assert (await row(promise_id))["state"] == "done"


async def test_a_claim_without_postgresql_leaves_the_promise_to_recall(
    tools: Tools, put: Put, row: Row
) -> None:
    promise_id, work = await put(Try(), handed_over=True), Noting()

    async with AsyncExitStack() as all_connections:
        for _ in range(20):
            await all_connections.enter_async_context(tools.database.reading())
        await runner(tools, work).run(promise_id)

    assert work.did == []
    kept = await row(promise_id)
    assert (kept["state"], kept["attempts"], kept["holder"]) == ("handed_over", 0, None)


async def test_why_a_try_failed_is_told_until_the_job_is_done(
    tools: Tools, put: Put, row: Row, owner: Any
) -> None:
    promise_id, told = await put(Try()), []
    failing, stopping = runner(tools, raising(ValueError("no luck"))), runner(tools, Noting())
    stopping.cancel()

    for each in (failing, stopping, runner(tools, Noting())):
        await each.run(promise_id)
        told.append((await row(promise_id))["last_error"])
        await owner.execute("UPDATE outbox SET available_at = now()")

    assert told == ["ValueError: no luck", "ValueError: no luck", None]
