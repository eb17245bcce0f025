"""python -m workers.clock list and run: what they show, and the clock when PostgreSQL is away."""

import asyncio
import json
import re
import signal
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest

from ops.child import Spawn
from ops.errors import Unavailable
from storage.jobs import CleanUpPipeline
from storage.tasks import next_slot, task_named
from tests.commands import Run, run
from tests.nursery import Forking
from tests.ops.stacks import ROOT
from tests.workers.processes import eventually
from workers.clock import Clock
from workers.toolbox import Tools

NAME = CleanUpPipeline.name
_PAST = """
WITH ran AS (
    UPDATE outbox SET state = $1, started_at = $2::timestamptz, last_error = $3,
        finished_at = $2::timestamptz + interval '1234 milliseconds'
    RETURNING id
) INSERT INTO clock_slots (task, slot, promise_id)
SELECT $4, $5::timestamptz - n * interval '1 hour', id FROM ran, generate_series(0, 2) AS n
"""


@pytest.fixture
def command(forking: Forking, environ: dict[str, str]) -> Run:
    """Run a command of the clock."""
    return partial(run, forking, "workers.clock", environ=environ)


async def test_the_list_shows_the_latest_slot_the_last_success_and_what_comes_next(
    command: Run, clean: None, owner: Any
) -> None:
    await command("run", NAME, "--no-wait")
    slot = datetime(2026, 3, 1, 5, 7, tzinfo=UTC)
    begun = slot + timedelta(seconds=30)
    await owner.execute(_PAST, "done", begun, None, NAME, slot)

    _, table, _ = await command("list")
    rows = json.loads((await command("list", "--json"))[1])

    cron, now = task_named(NAME).cron, datetime.now(UTC)
    (row,) = [row for row in rows if row["task"] == NAME]
    (line,) = [line for line in table.splitlines() if line.startswith(NAME)]
    assert (row["lastSlot"], row["lastSuccess"]) == ("2026-03-01T05:07:00Z", "2026-03-01T05:07:31Z")
    assert (row["lastSeconds"], row["state"], row["error"]) == (1.234, "done", None)
    assert datetime.fromisoformat(row["next"]) in {
        next_slot(cron, moment) for moment in (now, now - timedelta(minutes=1))
    }
    assert re.split(r"\s{2,}", line)[1:6] == [
        cron, row["lastSlot"], row["lastSuccess"], "1.2s", row["next"],
    ]  # fmt: skip
    assert re.split(r"\s{2,}", table.splitlines()[0]) == [
        "TASK", "SCHEDULE", "LAST SLOT", "LAST SUCCESS", "TOOK", "NEXT", "DOES",
    ]  # fmt: skip


async def test_a_failure_is_no_success_in_the_list(command: Run, clean: None, owner: Any) -> None:
    await command("run", NAME, "--no-wait")
    slot = datetime(2026, 3, 1, 5, 7, tzinfo=UTC)
    await owner.execute(_PAST, "dead", slot, "ValueError: no", NAME, slot)

    rows = json.loads((await command("list", "--json"))[1])

    (row,) = [row for row in rows if row["task"] == NAME]
    assert (row["lastSuccess"], row["lastSeconds"]) == (None, None)
    assert (row["state"], row["error"]) == ("dead", "ValueError: no")

    await command("run", NAME, "--no-wait")

    rows = json.loads((await command("list", "--json"))[1])
    (row,) = [row for row in rows if row["task"] == NAME]
    assert (row["lastSuccess"], row["state"]) == (None, "pending")


async def test_a_task_that_is_tried_again_says_why_once_each_and_goes_on_waiting(
    forking: Forking, environ: dict[str, str], clean: None, owner: Any
) -> None:
    with TemporaryFile() as said, TemporaryFile() as complained:
        how = Spawn(
            death_signal=signal.SIGKILL,
            environment=environ,
            folder=ROOT,
            output=said.fileno(),
            errors=complained.fileno(),
        )
        process = forking.start("workers.clock", ["run", NAME], how)

        async def told(count: int) -> bool:
            complained.seek(0)
            return len(complained.read().splitlines()) >= count

        for count, error in enumerate(("OSError: away", "OSError: full"), start=1):

            async def failed(error: str = error) -> bool:
                failing = "UPDATE outbox SET last_error = $1 RETURNING true"
                return bool(await owner.fetchval(failing, error))

            await eventually(failed)
            await eventually(partial(told, count))
        await asyncio.sleep(0.5)
        done = "UPDATE outbox SET state = 'done', started_at = now(), finished_at = now()"
        await owner.execute(done)
        code = await asyncio.to_thread(process.wait, 60)
        complained.seek(0)
        said.seek(0)
        lines, output = complained.read().decode().splitlines(), said.read().decode()

    assert code == 0
    assert lines == [
        "failed, will be tried again: OSError: away",
        "failed, will be tried again: OSError: full",
    ]
    assert f"{NAME}: done in 0.0 s" in output


async def test_a_run_is_noted_with_its_job_and_a_job_that_vanished_is_no_success(
    command: Run, clean: None, owner: Any
) -> None:
    running = asyncio.create_task(command("run", NAME))

    async def promised() -> bool:
        return bool(await owner.fetchval("SELECT count(*) FROM outbox"))

    await eventually(promised)
    job_id = await owner.fetchval("DELETE FROM outbox RETURNING id")
    code, _, warned = await running

    assert (code, warned) == (1, f"{NAME}: job {job_id} is gone\n")
    noted = "SELECT subject_id FROM audit_inbox WHERE action = 'task.run'"
    assert await owner.fetchval(noted) == job_id


async def test_without_a_database_the_commands_name_the_setting_and_exit_with_78(
    forking: Forking, tmp_path: Path
) -> None:
    nowhere = {"OSTIARY_HOME": str(tmp_path)}
    for arguments in (("list",), ("run", NAME)):
        done = await run(forking, "workers.clock", *arguments, environ=nowhere)
        assert done == (78, "", "DATABASE_URL: not set; run `make up`, or set it to yours\n")


async def test_a_clock_goes_on_when_what_it_needs_was_away() -> None:
    stop, looked = asyncio.Event(), []

    async def look() -> None:
        looked.append(len(looked))
        if len(looked) < 3:
            raise Unavailable("gone for a while")
        stop.set()

    await Clock._every(0.01, stop, look)

    assert looked == [0, 1, 2]


async def test_the_clock_tells_what_waits_to_be_sealed_and_how_big_everything_is(
    tools: Tools, owner: Any
) -> None:
    await owner.execute("DELETE FROM audit_inbox")
    async with tools.database.transaction() as storage:
        for _ in range(3):
            await storage.audit.note("user.created")
    await owner.execute("UPDATE audit_inbox SET created_at = now() - interval '100 seconds'")

    await Clock(tools).measure()

    value = tools.metrics.registry.get_sample_value
    assert value("ostiary_audit_unsealed_events") == 3
    assert 99 < (value("ostiary_audit_seal_lag_seconds") or 0) < 160
    size = await owner.fetchval("SELECT pg_database_size(current_database())")
    assert value("ostiary_database_bytes") == pytest.approx(size, rel=0.2)
