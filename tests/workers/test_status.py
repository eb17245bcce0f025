"""Commands of a terminal: what is wrong is said and told by the exit code; deeds are audited."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest

from api.parts import Parts
from storage.processes import Process, Work, alive, beat
from tests.api.holders import events
from tests.api.jobs import job_in, many_in
from tests.workers.processes import Start, eventually
from workers.toolbox import Tools


async def ran(start: Start, *arguments: str) -> tuple[int, str]:
    """Run a command to its end; return its exit code and what it said."""
    process = await start("workers", *arguments, ready="")
    code = await asyncio.to_thread(process.process.wait, 20)
    return code, process.output.read_text()


async def everybody(tools: Tools) -> None:
    """Have every process say that it lives."""
    await beat(tools.redis, "relay.1@here/1", Work())
    await beat(tools.redis, "clock.1@here/2", Work())
    served = ["audit", "emails", "maintenance", "passwords", "sessions"]
    await beat(tools.redis, "emails.1@here/3", Work(served, 4))


async def test_all_is_well_when_every_queue_is_served_though_jobs_are_dead(
    start: Start, tools: Tools, parts: Parts, owner: Any
) -> None:
    await everybody(tools)
    await job_in(parts, owner, "dead")

    code, said = await ran(start, "status")

    assert code == 0, said
    assert "all is well" in said
    assert "\x1b" not in said  # no colour where nobody looks
    assert [line.split()[0] for line in said.splitlines() if "here" in line] == [
        "clock.1",
        "emails.1",
        "relay.1",
    ]


async def test_what_is_missing_is_named_one_line_each_and_ends_with_1(
    start: Start, tools: Tools
) -> None:
    await beat(tools.redis, "emails.1@here/3", Work(["emails"], 4))

    code, said = await ran(start, "status", "--json")

    found = json.loads(said)
    assert (code, found["ok"]) == (1, False)
    assert [problem.partition(":")[0] for problem in found["problems"]] == [
        "no relay is heard",
        "no clock is heard",
        "audit",
        "maintenance",
        "passwords",
        "sessions",
    ]
    emails = next(item for item in found["queues"] if item["queue"] == "emails")
    assert (emails["workers"], emails["paused"]) == (1, None)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("SELECT 1", 1),
        ("UPDATE outbox SET available_at = now() - interval '50 seconds'", 0),
        ("UPDATE outbox SET run_until = now() + interval '9 seconds', holder = id", 0),
        ("INSERT INTO queue_pauses (queue, until, reason) VALUES ('emails', now(), 'away')", 0),
        (
            (
                "INSERT INTO outbox (id, queue, name, body, state, finished_at)"
                " VALUES (gen_random_uuid(), 'emails', 'x', '{}', 'done', now())"
            ),
            0,
        ),
    ],
)
async def test_a_queue_is_stalled_when_a_job_waits_and_none_is_done(
    start: Start, tools: Tools, owner: Any, change: str, expected: int
) -> None:
    await everybody(tools)
    await many_in(owner, "pending", 1)
    await owner.execute("UPDATE outbox SET available_at = now() - interval '90 seconds'")
    await owner.execute(change)

    code, said = await ran(start, "status")

    assert code == expected, said
    assert ("emails: stalled" in said) == bool(expected)


async def test_real_processes_say_what_they_work_on_and_leave_when_they_stop(
    start: Start, tools: Tools
) -> None:
    worker = await start(
        "workers",
        "--queues",
        "emails",
        "passwords",
        "--threads",
        "5",
        ready="working",
        OSTIARY_PROCESS="mail.1",
    )

    async def heard() -> list[Process]:
        return await alive(tools.redis)

    await eventually(heard)
    [process] = await heard()
    assert (process.name, process.kind, process.threads) == ("mail.1", "mail", 5)
    assert tuple(process.queues) == ("emails", "passwords")
    assert process.pid == worker.process.pid
    assert worker.stop() == 0
    assert await heard() == []


async def test_one_job_is_retried_by_its_id_and_the_trail_names_an_operator(
    start: Start, parts: Parts, owner: Any, clean: None
) -> None:
    job_id = await job_in(parts, owner, "dead")

    code, said = await ran(start, "jobs", "retry", str(job_id))
    again, told = await ran(start, "jobs", "retry", str(job_id))

    assert (code, said) == (0, f"{job_id}: pending\n")
    assert again == 1
    assert "pending already" in told
    row = await owner.fetchrow("SELECT * FROM audit_inbox WHERE action = 'job.retried'")
    assert (row["actor_kind"], row["subject_id"]) == ("operator", job_id)
    assert row["request_id"].startswith("command-")


async def test_many_are_only_changed_when_that_is_meant(
    start: Start, parts: Parts, owner: Any, clean: None
) -> None:
    await many_in(owner, "dead", 30)

    unasked = await ran(start, "jobs", "retry", "--queue", "emails")
    counted = await ran(start, "jobs", "retry", "--limit", "7", "--dry-run")
    meant = await ran(start, "jobs", "retry", "--error", "550", "--yes")

    assert unasked[0] == 1
    assert "nothing was changed" in unasked[1]
    assert counted == (0, "7 jobs are dead\n")
    assert meant[0] == 0
    [(_, facts)] = await events(owner, "jobs.retry_ordered")
    assert facts == {"state": "dead", "matched": 30}
    order = await owner.fetchrow("SELECT * FROM outbox WHERE queue = 'maintenance'")
    assert str(order["id"]) in meant[1]
    assert order["name"] == "maintenance.retry_jobs"


async def test_jobs_are_listed_and_shown(
    start: Start, parts: Parts, owner: Any, clean: None
) -> None:
    dead = await job_in(parts, owner, "dead")
    await job_in(parts, owner, "pending")

    _, listed = await ran(start, "jobs", "list", "--state", "dead")
    _, as_json = await ran(start, "jobs", "list", "--json", "--limit", "1")
    _, shown = await ran(start, "jobs", "show", str(dead))

    assert [line.split()[0] for line in listed.splitlines()[1:]] == [str(dead)]
    assert len(json.loads(as_json.splitlines()[0])) == 1
    assert "550 no such mailbox" in shown
    code, said = await ran(start, "jobs", "show", str(UUID(int=7)))
    assert (code, "no such job" in said) == (1, True)


async def test_a_queue_is_held_and_released_from_a_terminal(
    start: Start, owner: Any, clean: None
) -> None:
    held = [await ran(start, "jobs", "hold", "emails", "--reason", "moved") for _ in "ab"]
    released = await ran(start, "jobs", "release", "emails")

    assert held == [(0, "emails is held\n"), (0, "emails is held already\n")]
    assert released == (0, "emails is not held\n")
    assert [name for name, _ in await events(owner, "queue.held", "queue.released")] == [
        "queue.held",
        "queue.released",
    ]


async def test_a_replay_of_a_done_job_must_be_meant(
    start: Start, parts: Parts, owner: Any, clean: None
) -> None:
    job_id = await job_in(parts, owner, "done")

    refused = await ran(start, "jobs", "replay", str(job_id))
    meant = await ran(start, "jobs", "replay", str(job_id), "--even-if-done")

    assert (refused[0], meant[0]) == (1, 0)
    made = await owner.fetchval("SELECT id FROM outbox WHERE replay_of = $1", job_id)
    assert str(made) in meant[1]
