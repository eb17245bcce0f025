"""Clocks as processes: three of them, one killed, one frozen; and the commands beside them."""

import asyncio
import json
import signal
from functools import partial
from typing import Any

import pytest

from ops.child import tell
from storage.tasks import TASKS
from tests.commands import Run, run
from tests.nursery import Forking
from tests.workers.processes import Start, eventually

NAME = "maintenance.cleanup"

# All is done, and every slot comes anew.
_SLOTS_COME = """
WITH gone AS (DELETE FROM clock_slots), closed AS (
    UPDATE outbox SET state = 'done', started_at = now(), finished_at = now()
    WHERE state <> 'done' RETURNING id
) SELECT count(*) FROM closed
"""
_PROMISED = "SELECT count(*) FROM outbox WHERE state <> 'done'"
_PER_SLOT = """
SELECT count(*) = count(DISTINCT (task, slot)) AND count(*) = count(DISTINCT promise_id)
FROM clock_slots
"""


@pytest.fixture
def command(forking: Forking, environ: dict[str, str]) -> Run:
    """Run a command of the clock."""
    return partial(run, forking, "workers.clock", environ=environ)


async def every_task_is_promised_once(owner: Any) -> None:
    """Wait until each task has an open promise; then watch that none has two."""

    async def promised() -> bool:
        return bool(await owner.fetchval(_PROMISED) == len(TASKS))

    await eventually(promised)
    await asyncio.sleep(1.5)  # every clock has looked again
    assert await owner.fetchval(_PROMISED) == len(TASKS)
    assert await owner.fetchval(_PER_SLOT)


async def test_three_clocks_promise_each_slot_once_through_a_kill_and_a_freeze(
    start: Start, clean: None, owner: Any
) -> None:
    clocks = await asyncio.gather(*(start("workers.clock", ready="ticking") for _ in range(3)))
    await every_task_is_promised_once(owner)

    tell(clocks[0].process, signal.SIGSTOP)
    clocks[1].kill()
    await owner.fetchval(_SLOTS_COME)
    await asyncio.gather(*(start("workers.clock", ready="ticking") for _ in range(2)))
    await every_task_is_promised_once(owner)
    tell(clocks[0].process, signal.SIGCONT)

    await every_task_is_promised_once(owner)

    assert await owner.fetchval("SELECT count(*) FROM outbox") == 2 * len(TASKS)


async def test_a_task_run_by_command_is_waited_for_and_noted(
    start: Start, command: Run, clean: None, owner: Any
) -> None:
    code, said, _ = await command("run", NAME, "--no-wait")
    assert code == 0
    assert "promised" in said
    await start("workers.relay", ready="relaying")
    await start("workers", "--queues", "maintenance", ready="working")

    code, said, warned = await command("run", NAME)

    assert (code, warned) == (0, "")
    assert f"{NAME}: done in" in said
    noted = await owner.fetch(
        "SELECT actor_kind, facts, request_id FROM audit_inbox WHERE action = 'task.run'"
        " ORDER BY id"
    )
    assert len(noted) == 2
    assert json.loads(noted[0]["facts"]) == {"task": NAME, "made": True}
    assert {row["actor_kind"] for row in noted} == {"operator"}


async def test_a_job_that_was_given_up_is_told_with_its_reason_and_exit_code_1(
    command: Run, clean: None, owner: Any
) -> None:
    running = asyncio.create_task(command("run", NAME))

    async def promised() -> bool:
        return bool(await owner.fetchval(_PROMISED))

    await eventually(promised)
    await owner.execute("UPDATE outbox SET state = 'dead', last_error = 'ValueError: no'")

    code, _, warned = await running

    assert code == 1
    assert "is dead: ValueError: no" in warned


async def test_an_unknown_task_is_refused_naming_the_known_ones(
    command: Run, clean: None, owner: Any
) -> None:
    code, _, warned = await command("run", "nonsense")

    assert code == 1
    assert all(task.name in warned for task in TASKS)
    assert "Traceback" not in warned
    assert await owner.fetchval("SELECT count(*) FROM outbox") == 0


async def test_the_list_shows_every_task_for_people_and_for_programs(
    command: Run, clean: None
) -> None:
    code, table, _ = await command("list")
    as_json = json.loads((await command("list", "--json"))[1])

    assert code == 0
    assert [line.split()[0] for line in table.splitlines()[1:]] == [task.name for task in TASKS]
    assert [row["task"] for row in as_json] == [task.name for task in TASKS]
    assert all(row["next"] and row["lastSuccess"] is None for row in as_json)
