"""The clock: one promise a slot, however many clocks look, and what it measures."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storage.jobs import CleanUpPipeline
from tests.workers.conftest import AddUser, Put
from tests.workers.processes import eventually
from workers.clock import TASKS, Clock, latest_slot
from workers.maintenance import clean_up_pipeline
from workers.runner import Runner
from workers.toolbox import Tools


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "now", "slot"),
    [
        ("*/15 * * * *", "2026-11-21 12:15:00", "2026-11-21 12:15"),
        ("*/15 * * * *", "2026-11-21 12:14:59.999999", "2026-11-21 12:00"),
        ("*/15 * * * *", "2026-11-21 12:15:00.000001", "2026-11-21 12:15"),
        ("*/15 * * * *", "2026-11-21 00:00:00", "2026-11-21 00:00"),
        ("7 * * * *", "2027-01-01 00:06:59", "2026-12-31 23:07"),
        ("0 3 29 2 *", "2027-03-01 00:00:00", "2024-02-29 03:00"),
        ("0 0 1 1 *", "2026-12-31 23:59:59.999999", "2026-01-01 00:00"),
        ("* * * * *", "2026-11-21 12:15:59.999999", "2026-11-21 12:15"),
    ],
)
def test_the_latest_slot_is_the_last_one_that_has_come(cron: str, now: str, slot: str) -> None:
    assert latest_slot(cron, at(now)) == at(slot)


def test_no_slot_lies_in_the_future() -> None:
    now = at("2026-11-20 23:00:00.5")
    for second in range(0, 7_200, 7):
        moment = now + timedelta(seconds=second)
        for task in TASKS:
            assert moment - timedelta(hours=1) < latest_slot(task.cron, moment) <= moment


async def test_three_clocks_at_once_promise_each_slot_once(tools: Tools, owner: Any) -> None:
    clocks = [Clock(tools) for _ in range(3)]

    await asyncio.gather(*(clock.promise_due() for clock in clocks * 3))

    promised = await owner.fetch("SELECT name FROM outbox ORDER BY name")
    assert [found["name"] for found in promised] == sorted(task.job.name for task in TASKS)
    assert await owner.fetchval("SELECT count(*) FROM clock_slots") == len(TASKS)


async def test_after_a_gap_only_the_latest_slot_is_caught_up(tools: Tools, owner: Any) -> None:
    await Clock(tools).promise_due()
    await owner.execute("UPDATE clock_slots SET slot = slot - interval '2 days'")
    await owner.execute("DELETE FROM outbox")

    await Clock(tools).promise_due()
    await Clock(tools).promise_due()

    assert await owner.fetchval("SELECT count(*) FROM outbox") == len(TASKS)
    late = "SELECT count(*) FROM clock_slots WHERE slot > now()"
    assert await owner.fetchval(late) == 0


async def test_a_clock_that_was_ahead_does_not_promise_its_slot_again(
    tools: Tools, owner: Any
) -> None:
    task = TASKS[0]
    ahead = latest_slot(task.cron, datetime.now(UTC) + timedelta(hours=1))
    async with tools.database.reading() as storage:
        assert await storage.clock.promise(task.job, ahead)

        assert not await storage.clock.promise(task.job, ahead)

    assert await owner.fetchval("SELECT count(*) FROM outbox") == 1


async def test_a_promised_slot_is_done_like_any_job(tools: Tools, owner: Any) -> None:
    await Clock(tools).promise_due()
    name = CleanUpPipeline.name
    promise_id = await owner.fetchval("SELECT id FROM outbox WHERE name = $1", name)

    await Runner(tools, {name: (CleanUpPipeline, clean_up_pipeline)}).run(promise_id)
    clock = Clock(tools)
    await clock.measure()

    assert await owner.fetchval("SELECT state FROM outbox WHERE id = $1", promise_id) == "done"
    success = value(tools, "ostiary_clock_last_success_timestamp_seconds", task=name)
    assert abs(success - datetime.now(UTC).timestamp()) < 60


async def test_the_gauges_tell_depth_age_and_people(
    tools: Tools, put: Put, add_user: AddUser, owner: Any
) -> None:
    await add_user()
    for state in ("pending", "pending", "handed_over", "dead", "done"):
        promise_id = await put(TASKS[0].job)
        await owner.execute(
            "UPDATE outbox SET state = $2, available_at = now() - interval '90 seconds'"
            " WHERE id = $1",
            promise_id,
            state,
        )

    await Clock(tools).measure()

    depth = "ostiary_queue_depth"
    assert value(tools, depth, queue="sessions", state="pending") == 2
    assert value(tools, depth, queue="sessions", state="handed_over") == 1
    assert value(tools, depth, queue="sessions", state="dead") == 1
    assert value(tools, depth, queue="emails", state="pending") == 0
    assert value(tools, "ostiary_outbox_pending") == 2
    assert 89 < value(tools, "ostiary_outbox_oldest_seconds") < 120
    assert 89 < value(tools, "ostiary_queue_oldest_seconds", queue="sessions") < 120
    assert value(tools, "ostiary_queue_oldest_seconds", queue="emails") == 0
    assert value(tools, "ostiary_users", state="unverified") == 1


async def test_a_state_that_nobody_is_in_any_more_is_counted_as_none(
    tools: Tools, add_user: AddUser, owner: Any
) -> None:
    clock = Clock(tools)
    await add_user()
    await clock.measure()
    await owner.execute("UPDATE users SET email_verified = true")

    await clock.measure()

    assert value(tools, "ostiary_users", state="unverified") == 0
    assert value(tools, "ostiary_users", state="verified") == 1


async def test_a_clock_runs_until_told_to_stop(tools: Tools, owner: Any) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(Clock(tools).run(stop))

    async def promised() -> bool:
        return bool(await owner.fetchval("SELECT count(*) FROM outbox") == len(TASKS))

    await eventually(promised)

    stop.set()

    await asyncio.wait_for(running, 2)


def value(tools: Tools, name: str, **labels: str) -> float:
    found = tools.metrics.registry.get_sample_value(name, labels)
    assert found is not None
    return found


async def test_what_the_pipeline_left_behind_is_kept_for_its_days_and_no_longer(
    tools: Tools, owner: Any
) -> None:
    await owner.execute("""
        INSERT INTO outbox (id, queue, name, body, available_at, state, finished_at)
        SELECT gen_random_uuid(), state, 'x', '{}', now(), state, now() - age
        FROM (VALUES ('done'), ('dead')) AS states (state),
            (VALUES (interval '7 days 1 minute'), (interval '6 days 23 hours')) AS ages (age)
    """)
    await owner.execute("""
        WITH ages (age) AS (
            VALUES (interval '30 days 1 minute'), (interval '29 days 23 hours')
        ), slots AS (
            INSERT INTO clock_slots (task, slot, promise_id)
            SELECT 'x', now() - age, gen_random_uuid() FROM ages
        )
        INSERT INTO quarantine (id, queue, reason, size, head, created_at)
        SELECT gen_random_uuid(), 'x', 'x', 0, '', now() - age FROM ages
    """)
    async with tools.database.transaction() as storage:
        promise_id = await storage.outbox.put(CleanUpPipeline())

    await Runner(tools, {CleanUpPipeline.name: (CleanUpPipeline, clean_up_pipeline)}).run(
        promise_id
    )

    rows = await owner.fetch("SELECT state, count(*) FROM outbox WHERE name = 'x' GROUP BY 1")
    assert dict(map(tuple, rows)) == {"done": 1, "dead": 2}  # the dead wait for somebody to look
    assert await owner.fetchval("SELECT count(*) FROM clock_slots") == 1
    assert await owner.fetchval("SELECT count(*) FROM quarantine") == 1
