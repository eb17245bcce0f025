"""Periodic tasks over HTTP: how they stand, and one done now without ever being doubled."""

import asyncio
from typing import Any

import aiohttp

from storage.tasks import TASKS
from tests.api.holders import events, holder
from tests.people import admin, call
from tests.workers.processes import eventually
from workers.clock import Clock
from workers.toolbox import Tools

RUN = "/admin/tasks/sessions.cleanup/run"


async def listed(api: aiohttp.ClientSession, owner: Any) -> dict[str, Any]:
    """Return every task by its name, as an administrator sees it."""
    status, told = await call(api, await admin(api, owner), "GET", "/admin/tasks")
    assert status == 200, told
    return {task["task"]: task for task in told["data"]}


async def test_every_task_of_the_table_is_listed_before_any_clock_ran(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    found = await listed(api, owner)

    assert list(found) == [task.name for task in TASKS]
    for task in TASKS:
        shown = found[task.name]
        assert (shown["schedule"], shown["does"]) == (task.cron, task.does)
        assert shown["does"].endswith(".")
        assert shown["lastSlot"] is shown["lastSuccess"] is shown["jobId"] is None


async def test_a_task_tells_its_last_slot_success_and_how_long_it_took(
    api: aiohttp.ClientSession, owner: Any, tools: Tools
) -> None:
    await Clock(tools).promise_due()
    await owner.execute(
        "UPDATE outbox SET state = 'done', started_at = now() - interval '2 seconds',"
        " finished_at = now() WHERE name = 'sessions.cleanup'"
    )
    await owner.execute(
        "UPDATE outbox SET state = 'dead', last_error = 'ValueError: no'"
        " WHERE name = 'maintenance.cleanup'"
    )

    found = await listed(api, owner)

    good, bad = found["sessions.cleanup"], found["maintenance.cleanup"]
    assert good["lastSlot"] <= good["lastSuccess"] < good["next"]
    assert (good["lastSeconds"], good["state"], good["error"]) == (2, "done", None)
    assert (bad["lastSuccess"], bad["state"], bad["error"]) == (None, "dead", "ValueError: no")


async def test_a_task_run_now_is_an_urgent_job_and_noted_with_who_asked(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    status, told = await call(api, await admin(api, owner), "POST", RUN)

    job_id = told["data"]["jobId"]
    assert (status, told["data"]["alreadyPromised"]) == (202, False)
    row = await owner.fetchrow("SELECT * FROM outbox WHERE id = $1", job_id)
    assert (row["name"], row["urgency"], row["state"]) == ("sessions.cleanup", 0, "pending")
    assert row["request_id"] == told["meta"]["requestId"]
    assert await events(owner, "task.run") == [
        ("task.run", {"task": "sessions.cleanup", "made": True})
    ]
    noted = "SELECT subject_id::text FROM audit_inbox WHERE action = 'task.run'"
    assert await owner.fetchval(noted) == job_id


async def test_twenty_at_once_make_one_job(api: aiohttp.ClientSession, owner: Any) -> None:
    boss = await admin(api, owner)

    answers = await asyncio.gather(*(call(api, boss, "POST", RUN) for _ in range(20)))

    assert {status for status, _ in answers} == {202}
    assert len({told["data"]["jobId"] for _, told in answers}) == 1
    assert sum(not told["data"]["alreadyPromised"] for _, told in answers) == 1
    count = "SELECT count(*) FROM outbox WHERE name = 'sessions.cleanup'"
    assert await owner.fetchval(count) == 1


async def test_a_job_that_waits_for_its_next_try_is_hastened_and_a_running_one_left_alone(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)
    first = (await call(api, boss, "POST", RUN))[1]["data"]["jobId"]
    await owner.execute(
        "UPDATE outbox SET available_at = now() + interval '1 hour' WHERE id = $1", first
    )

    again = (await call(api, boss, "POST", RUN))[1]["data"]

    assert (again["jobId"], again["alreadyPromised"]) == (first, True)
    late = "SELECT available_at > now() FROM outbox WHERE id = $1"
    assert await owner.fetchval(late, first) is False
    await owner.execute("UPDATE outbox SET state = 'done', finished_at = now()")
    assert (await call(api, boss, "POST", RUN))[1]["data"]["jobId"] != first


async def test_a_clock_waits_for_a_task_that_somebody_runs(
    api: aiohttp.ClientSession, owner: Any, tools: Tools
) -> None:
    await call(api, await admin(api, owner), "POST", RUN)

    await Clock(tools).promise_due()

    count = "SELECT count(*) FROM outbox WHERE name = 'sessions.cleanup'"
    assert await owner.fetchval(count) == 1


async def test_running_a_task_wakes_the_relay(
    api: aiohttp.ClientSession, owner: Any, tools: Tools
) -> None:
    boss = await admin(api, owner)
    await tools.redis._client.flushdb()

    await call(api, boss, "POST", RUN)

    async def rung() -> bool:
        return bool(await tools.redis._client.dbsize())

    await eventually(rung)


async def test_an_unknown_task_is_answered_with_those_there_are(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)

    status, told = await call(api, boss, "POST", "/admin/tasks/sessions.clean/run")

    assert (status, told["error"]["code"]) == (404, "NOT_FOUND")
    for task in TASKS:
        assert task.name in told["error"]["message"]


async def test_who_may_see_tasks_may_not_run_them(api: aiohttp.ClientSession, owner: Any) -> None:
    reader = await holder(api, owner, "jobs:read")
    runner = await holder(api, owner, "jobs:manage")

    assert (await call(api, reader, "GET", "/admin/tasks"))[0] == 200
    assert (await call(api, reader, "POST", RUN))[0] == 403
    assert (await call(api, runner, "GET", "/admin/tasks"))[0] == 403
    assert (await call(api, runner, "POST", RUN))[0] == 202
