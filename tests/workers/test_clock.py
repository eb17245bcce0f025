"""The clock: one promise a slot, however many clocks look, and what it measures."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storage.clock_slots import Taken
from storage.jobs import CleanUpPipeline, CleanUpSessions
from storage.tasks import TASKS, latest_slot, next_slot
from tests.workers.conftest import AddUser, Put
from tests.workers.processes import eventually
from workers.clock import Clock
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
            pause = timedelta(seconds=task.period)
            assert (
                moment - pause
                < latest_slot(task.cron, moment)
                <= moment
                < next_slot(task.cron, moment)
            )


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

    clocks = [Clock(tools), Clock(tools)]
    for clock in clocks * 2:
        await clock.promise_due()

    assert await owner.fetchval("SELECT count(*) FROM outbox") == len(TASKS)
    late = "SELECT count(*) FROM clock_slots WHERE slot > now()"
    assert await owner.fetchval(late) == 0


async def promised(tools: Tools, *, slot: datetime, until: datetime) -> Taken:
    """Try to take a slot, as a clock does that believes it is the latest."""
    async with tools.database.transaction() as storage:
        return await storage.clock.promise(CleanUpSessions(), slot, until=until)


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_clock_whose_machine_is_wrong_by_an_hour_takes_no_slot(
    tools: Tools, owner: Any, hours: int
) -> None:
    cron, believed = TASKS[0].cron, datetime.now(UTC) + timedelta(hours=hours)

    taken = await promised(tools, slot=latest_slot(cron, believed), until=next_slot(cron, believed))

    assert taken is Taken.NOT_YET
    assert await owner.fetchval("SELECT count(*) FROM outbox") == 0
    assert await owner.fetchval("SELECT count(*) FROM clock_slots") == 0


async def test_when_the_time_of_the_database_falls_back_no_slot_is_promised_again(
    tools: Tools, owner: Any
) -> None:
    await Clock(tools).promise_due()
    await owner.execute("UPDATE outbox SET state = 'done'")
    # What was taken while its time was an hour ahead lies ahead now, and the hour comes.
    await owner.execute(
        "INSERT INTO clock_slots (task, slot, promise_id)"
        " SELECT task, slot + interval '15 minutes' * n, promise_id"
        " FROM clock_slots, generate_series(1, 4) AS n WHERE task = 'sessions.cleanup'"
    )

    await Clock(tools).promise_due()

    assert await owner.fetchval("SELECT count(*) FROM outbox") == len(TASKS)


async def test_while_a_promise_is_open_its_task_gets_no_other_and_then_one_for_all_slots(
    tools: Tools, owner: Any
) -> None:
    now = datetime.now(UTC)
    later = {"slot": now, "until": now + timedelta(minutes=5)}
    first = {"slot": now - timedelta(hours=1), "until": now + timedelta(minutes=5)}
    assert await promised(tools, **first) is Taken.PROMISED
    assert await promised(tools, **first) is Taken.NOT_YET

    waiting = await promised(tools, **later)
    await owner.execute("UPDATE outbox SET state = 'handed_over'")
    running = await promised(tools, **later)
    await owner.execute("UPDATE outbox SET state = 'dead'")
    after = [await promised(tools, **later) for _ in range(2)]

    assert (waiting, running) == (Taken.NOT_YET, Taken.NOT_YET)
    assert after[0] is Taken.PROMISED
    assert await owner.fetchval("SELECT count(*) FROM outbox") == 2
    assert await owner.fetchval("SELECT count(*) FROM clock_slots") == 2


async def test_a_slot_that_another_clock_took_is_not_looked_at_again(
    tools: Tools, owner: Any
) -> None:
    now = datetime.now(UTC)
    slot = {"slot": now - timedelta(minutes=1), "until": now + timedelta(minutes=5)}
    await promised(tools, **slot)
    await owner.execute("UPDATE outbox SET state = 'done', finished_at = now()")

    assert await promised(tools, **slot) is Taken.BEFORE


async def test_a_task_that_never_succeeded_tells_since_when_it_is_due(
    tools: Tools, owner: Any
) -> None:
    await Clock(tools).promise_due()
    await owner.execute("UPDATE clock_tasks SET created_at = now() - interval '3 hours'")

    await Clock(tools).measure()

    for task in TASKS:
        since = value(tools, "ostiary_clock_last_success_timestamp_seconds", task=task.name)
        assert 10_800 <= datetime.now(UTC).timestamp() - since < 10_860
    period = "ostiary_clock_period_seconds"
    assert value(tools, period, task="sessions.cleanup") == 900
    assert value(tools, period, task="maintenance.cleanup") == 3_600


async def test_a_success_is_remembered_when_the_outbox_has_forgotten_it(
    tools: Tools, owner: Any
) -> None:
    await Clock(tools).promise_due()
    await owner.execute(
        "UPDATE outbox SET state = 'done', started_at = now() - interval '63 seconds',"
        " finished_at = now() - interval '1 minute'"
    )
    await Clock(tools).measure()
    await owner.execute("DELETE FROM outbox")

    await Clock(tools).measure()

    success = "ostiary_clock_last_success_timestamp_seconds"
    took = "ostiary_clock_last_duration_seconds"
    for task in TASKS:
        assert 59 < datetime.now(UTC).timestamp() - value(tools, success, task=task.name) < 90
        assert value(tools, took, task=task.name) == pytest.approx(3)


async def test_the_newest_success_is_the_one_that_is_remembered(tools: Tools, owner: Any) -> None:
    task, now = CleanUpSessions.name, datetime.now(UTC)
    for minutes in (30, 15):
        slot = now - timedelta(minutes=minutes)
        assert await promised(tools, slot=slot, until=now + timedelta(minutes=5)) is Taken.PROMISED
        done = "UPDATE outbox SET state = 'done', started_at = $1, finished_at = $1"
        await owner.execute(done, slot)
        await Clock(tools).measure()
    await owner.execute("DELETE FROM outbox")

    await Clock(tools).measure()

    success = value(tools, "ostiary_clock_last_success_timestamp_seconds", task=task)
    assert success == pytest.approx(slot.timestamp(), abs=1)


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


async def test_what_somebody_works_on_is_not_the_oldest_that_waits(
    tools: Tools, put: Put, owner: Any
) -> None:
    await put(CleanUpSessions())
    begun = "UPDATE outbox SET available_at = now() - interval '1 hour', run_until = now() + $1"
    oldest = []

    for lease in (timedelta(seconds=15), timedelta(seconds=-1)):
        await owner.execute(begun, lease)
        await Clock(tools).measure()
        oldest.append(value(tools, "ostiary_queue_oldest_seconds", queue="sessions"))

    assert oldest == [0, pytest.approx(3_600, abs=60)]


async def test_a_state_that_nobody_is_in_any_more_is_counted_as_none(
    tools: Tools, add_user: AddUser, owner: Any
) -> None:
    await add_user()
    await Clock(tools).measure()
    await owner.execute("UPDATE users SET email_verified = true")

    await Clock(tools).measure()

    assert value(tools, "ostiary_users", state="unverified") == 0
    assert value(tools, "ostiary_users", state="verified") == 1


async def test_counting_that_takes_long_is_done_seldom(
    tools: Tools, add_user: AddUser, owner: Any
) -> None:
    clock = Clock(tools)
    async with owner.transaction():
        await owner.execute("LOCK TABLE sessions")
        measuring = asyncio.create_task(clock.measure())
        await asyncio.sleep(0.2)
    await measuring
    await add_user()
    await clock.measure()  # nobody is counted again for 20 s, a hundred times as long

    assert value(tools, "ostiary_users", state="unverified") == 0


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
