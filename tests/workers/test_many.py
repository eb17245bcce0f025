"""Orders over many jobs: done in batches, once each, through kills, without flooding a queue."""

from typing import Any
from uuid import UUID

import pytest

from ops.errors import Unavailable
from storage.backlog import JobState, Selection
from storage.backlog.orders import NotSelectable, count, place
from storage.jobs import DiscardJobs, Job, ReplayJobs, RetryJobs
from storage.outbox import Promise
from tests.api.holders import events
from tests.api.jobs import many_in
from tests.workers.conftest import Hold, Row
from tests.workers.processes import Start, eventually
from workers.many import TakenOver, discard_jobs, replay_jobs, retry_jobs
from workers.toolbox import Tools

_WORKS: dict[str, tuple[type[Job], Any]] = {
    "retry": (RetryJobs, retry_jobs),
    "discard": (DiscardJobs, discard_jobs),
    "replay": (ReplayJobs, replay_jobs),
}

_EVENTS = {"retry": "jobs.retried", "discard": "jobs.discarded", "replay": "jobs.replayed"}


async def ordered(tools: Tools, deed: Any, limit: int | None = None, **wanted: Any) -> UUID:
    """Place an order; return its id."""
    selection = Selection(**({"state": JobState.DEAD} | wanted))
    async with tools.database.transaction() as storage:
        order = await place(storage, deed, selection, limit=limit)
    assert order.id
    return order.id


async def carry_out(tools: Tools, deed: str, promise: Promise) -> None:
    """Do what a worker does with an order that it holds."""
    kind, work = _WORKS[deed]
    await work(kind.from_body(promise.body), promise, tools)


async def states(owner: Any) -> dict[str, int]:
    """Return how many letters are in each state."""
    rows = await owner.fetch("SELECT state, count(*) FROM outbox WHERE queue = 'emails' GROUP BY 1")
    return {row["state"]: row["count"] for row in rows}


@pytest.mark.parametrize(
    ("deed", "after"),
    [
        ("retry", {"pending": 700}),
        ("discard", {"discarded": 700}),
        ("replay", {"dead": 700, "pending": 700}),
    ],
)
async def test_an_order_is_carried_out_in_batches_each_with_one_event(
    tools: Tools, owner: Any, hold: Hold, deed: str, after: dict[str, int]
) -> None:
    await many_in(owner, "dead", 700)
    order = await ordered(tools, deed)

    await carry_out(tools, deed, await hold(order))

    assert await states(owner) == after
    assert [facts["count"] for _, facts in await events(owner, _EVENTS[deed])] == [500, 200]
    async with tools.database.reading() as storage:
        assert (await storage.backlog.by_id(order)).progress == {"done": 700, "total": 700}
    if deed == "replay":
        copies = await owner.fetch(
            "SELECT old.body = new.body AS same, new.urgency FROM outbox AS new"
            " JOIN outbox AS old ON old.id = new.replay_of"
        )
        assert {tuple(copy) for copy in copies} == {(True, 2)}
        assert len(copies) == 700


@pytest.mark.parametrize("deed", _WORKS)
async def test_an_order_that_is_carried_out_twice_has_one_effect(
    tools: Tools, owner: Any, hold: Hold, deed: str
) -> None:
    await many_in(owner, "dead", 30)
    promise = await hold(await ordered(tools, deed))

    await carry_out(tools, deed, promise)
    once = await states(owner)
    await carry_out(tools, deed, promise)

    assert await states(owner) == once


@pytest.mark.parametrize("deed", _WORKS)
async def test_a_limit_holds_through_every_try_of_an_order(
    tools: Tools, owner: Any, hold: Hold, row: Row, deed: str
) -> None:
    await many_in(owner, "dead", 40)
    order = await ordered(tools, deed, limit=25)
    promise = await hold(order)

    await carry_out(tools, deed, promise)
    once = await states(owner)
    await carry_out(tools, deed, promise)

    assert await states(owner) == once
    assert once["dead"] == (40 if deed == "replay" else 15)
    assert (await row(order))["progress_done"] == 25


async def test_an_order_is_over_what_it_names_and_nothing_else(
    tools: Tools, owner: Any, hold: Hold
) -> None:
    await many_in(owner, "dead", 3)
    await owner.execute("UPDATE outbox SET last_error = '421 100% busy'")
    await many_in(owner, "dead", 5, queue="passwords")
    order = await ordered(tools, "retry", queue="emails", error_contains="100% BUSY")
    await many_in(owner, "dead", 7)  # after the order

    await carry_out(tools, "retry", await hold(order))

    assert await states(owner) == {"pending": 3, "dead": 7}
    dead = "SELECT count(*) FROM outbox WHERE queue = 'passwords' AND state = 'dead'"
    assert await owner.fetchval(dead) == 5


async def test_a_full_queue_gets_no_more_until_it_has_less(
    tools: Tools, owner: Any, hold: Hold, row: Row
) -> None:
    await many_in(owner, "dead", 1_600)
    order = await ordered(tools, "retry")
    promise = await hold(order)

    with pytest.raises(Unavailable, match="emails"):
        await carry_out(tools, "retry", promise)
    assert await states(owner) == {"pending": 1_500, "dead": 100}
    assert (await row(order))["progress_done"] == 1_500

    await owner.execute("UPDATE outbox SET state = 'handed_over' WHERE state = 'pending'")
    await owner.execute("UPDATE outbox SET handed_at = now() WHERE state = 'handed_over'")
    await carry_out(tools, "retry", promise)
    assert await states(owner) == {"handed_over": 1_500, "pending": 100}


# What jobs do that fail again at once; each failure leaves a mark.
_FAILS_AGAIN = {
    JobState.DEAD: "state = 'dead', finished_at = now()",
    JobState.DELAYED: "available_at = now() + interval '1 hour', attempts = 1",
}


@pytest.mark.parametrize("state", _FAILS_AGAIN)
async def test_an_order_to_retry_ends_and_retries_each_job_once_though_all_fail_again(
    tools: Tools, owner: Any, hold: Hold, row: Row, state: JobState
) -> None:
    await many_in(owner, state, 1_600)
    await owner.execute("UPDATE outbox SET last_error = ''")
    order = await ordered(tools, "retry", state=state)
    promise = await hold(order)
    failed = f"UPDATE outbox SET {_FAILS_AGAIN[state]}, last_error = last_error || 'x'"  # noqa: S608
    fail = f"{failed}, updated_at = now() WHERE queue = 'emails' AND available_at <= now()"
    fail += " AND state = 'pending'"

    with pytest.raises(Unavailable, match="emails"):
        await carry_out(tools, "retry", promise)
    await owner.execute(fail)
    await carry_out(tools, "retry", promise)
    await owner.execute(fail)
    await carry_out(tools, "retry", promise)

    tries = await owner.fetch("SELECT last_error, count(*) FROM outbox GROUP BY 1 ORDER BY 1")
    assert [tuple(each) for each in tries if each["last_error"] is not None] == [("x", 1_600)]
    assert (await row(order))["progress_done"] == 1_600
    assert sum(facts["count"] for _, facts in await events(owner, "jobs.retried")) == 1_600


async def test_a_job_that_failed_since_the_order_waits_as_its_failure_says(
    tools: Tools, owner: Any, hold: Hold
) -> None:
    await many_in(owner, "delayed", 3)
    promise = await hold(await ordered(tools, "retry", state=JobState.DELAYED))
    touched = "UPDATE outbox SET attempts = 4, updated_at = now() WHERE id IN"
    one = "SELECT id FROM outbox WHERE queue = 'emails' LIMIT 1"
    await owner.execute(f"{touched} ({one})")

    await carry_out(tools, "retry", promise)

    due = await owner.fetch(
        "SELECT attempts, available_at <= now() FROM outbox WHERE queue = 'emails'"
    )
    assert sorted(tuple(each) for each in due) == [(0, True), (0, True), (4, False)]


async def test_who_lost_an_order_to_another_worker_does_nothing_more(
    tools: Tools, owner: Any, hold: Hold
) -> None:
    await many_in(owner, "dead", 10)
    order = await ordered(tools, "discard")
    promise = await hold(order)
    await owner.execute("UPDATE outbox SET holder = gen_random_uuid() WHERE id = $1", order)

    with pytest.raises(TakenOver):
        await carry_out(tools, "discard", promise)

    assert await states(owner) == {"dead": 10}


async def test_a_running_job_and_an_order_itself_are_never_discarded(
    tools: Tools, owner: Any, hold: Hold, row: Row
) -> None:
    await many_in(owner, "running", 4)
    await many_in(owner, "handed_over", 6, queue="passwords")
    other = await ordered(tools, "retry")
    await owner.execute("UPDATE outbox SET available_at = created_at WHERE id = $1", other)
    order = await ordered(tools, "discard", state=JobState.PENDING)

    await carry_out(tools, "discard", await hold(order))

    assert await states(owner) == {"handed_over": 4}
    assert (await row(other))["state"] == "pending"


async def test_done_jobs_are_replayed_only_when_they_are_named(tools: Tools, owner: Any) -> None:
    await many_in(owner, "done", 3)
    async with tools.database.transaction() as storage:
        by_default = await count(storage, "replay", Selection(state=JobState.DEAD))
        named = await count(storage, "replay", Selection(state=JobState.DONE), limit=2)
        with pytest.raises(NotSelectable) as refused:
            await count(storage, "retry", Selection(state=JobState.DONE))

    assert (by_default.matched, named.matched) == (0, 2)
    assert "dead, discarded, delayed" in refused.value.details[0].message


@pytest.mark.parametrize("deed", _WORKS)
async def test_a_worker_killed_in_the_middle_leaves_an_order_that_ends_as_if_it_had_not_been(
    start: Start, tools: Tools, owner: Any, deed: str
) -> None:
    await many_in(owner, "dead", 6_000)
    relay = await start("workers.relay", ready="relaying")
    worker = await start("workers", "--queues", "maintenance", ready="working")
    order = await ordered(tools, deed)
    # Nobody works on letters here: what is due is taken away as workers would.
    drained = "UPDATE outbox SET state = 'discarded', finished_at = now(), last_error = 'drained'"
    drain = f"{drained} WHERE queue = 'emails' AND state IN ('pending', 'handed_over')"

    async def some() -> bool:
        if deed != "discard":
            await owner.execute(drain)
        done = await owner.fetchval("SELECT progress_done FROM outbox WHERE id = $1", order)
        return bool(done and done >= 1_000)

    async def ended() -> bool:
        if deed != "discard":
            await owner.execute(drain)
        return bool(await owner.fetchval("SELECT state = 'done' FROM outbox WHERE id = $1", order))

    await eventually(some, 30)
    worker.kill()
    assert not await ended()
    await start("workers", "--queues", "maintenance", ready="working")
    await eventually(ended, 60)

    kept = await owner.fetchrow("SELECT * FROM outbox WHERE id = $1", order)
    assert (kept["progress_done"], kept["crashes"]) == (6_000, 1)
    copies = await owner.fetchrow(
        "SELECT count(*) AS made, count(DISTINCT replay_of) AS of FROM outbox"
        " WHERE replay_of IS NOT NULL"
    )
    assert tuple(copies) == ((6_000, 6_000) if deed == "replay" else (0, 0))
    told = await owner.fetchval(
        "SELECT sum((facts->>'count')::integer) FROM audit_inbox WHERE subject_id = $1", order
    )
    assert told == 6_000
    assert relay.stop() == 0
