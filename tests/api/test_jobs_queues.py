"""Queues are seen, held and released; messages nobody could read are seen and deleted."""

import asyncio
from typing import Any

import aiohttp
import pytest

from api.jobs.service import QueueService
from api.parts import Parts
from ops.metrics import Metrics
from storage.jobs import queues
from storage.processes import Work, beat, leave
from storage.redis import Redis
from tests.api.holders import events, holder
from tests.api.jobs import STATES, job_in
from tests.people import Person, admin, call

_HOLD = {"reason": "the provider is being moved"}


async def queue(api: aiohttp.ClientSession, who: Person, name: str = "emails") -> dict[str, Any]:
    """Return a queue as the list shows it."""
    _, told = await call(api, who, "GET", "/admin/queues")
    return dict(next(item for item in told["data"] if item["queue"] == name))


async def test_every_queue_of_the_catalogue_is_listed_also_when_nothing_is_in_it(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)

    _, told = await call(api, boss, "GET", "/admin/queues")

    assert [item["queue"] for item in told["data"]] == queues()
    assert await queue(api, boss, "passwords") == {
        "queue": "passwords",
        **dict.fromkeys(("pending", "delayed", "handedOver", "running", "dead"), 0),
        "oldestSeconds": None,
        "donePerMinute": 0,
        "diedPerMinute": 0,
        "paused": None,
        "workers": 0,
    }


async def test_a_queue_tells_how_many_of_its_jobs_are_in_which_state(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    boss = await admin(api, owner)
    await owner.execute("DELETE FROM outbox")
    for number, state in enumerate(STATES, start=1):
        for _ in range(number):
            await job_in(parts, owner, state)
    await owner.execute(
        "UPDATE outbox SET available_at = now() - interval '90 seconds' WHERE state <> 'done'"
        " AND available_at < now()"
    )

    found = await queue(api, boss)

    expected = {"pending": 1, "delayed": 2, "handedOver": 3, "running": 4, "dead": 6}
    assert {name: found[name] for name in expected} == expected
    assert 89 < found["oldestSeconds"] < 120
    assert (found["donePerMinute"], found["diedPerMinute"]) == (1.0, 1.2)


async def test_what_ended_more_than_five_minutes_ago_is_not_of_now(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    boss = await admin(api, owner)
    await job_in(parts, owner, "done")
    await owner.execute("UPDATE outbox SET finished_at = now() - interval '301 seconds'")

    assert (await queue(api, boss))["donePerMinute"] == 0


async def test_worker_processes_are_counted_by_what_they_say(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    boss = await admin(api, owner)
    for name, served in (("a.1", ["emails"]), ("a.2", ["emails", "audit"]), ("relay.1", [])):
        await beat(parts.redis, f"{name}@here/1", Work(served, 4))

    before = await queue(api, boss)
    await leave(parts.redis, "a.2@here/1")

    assert (before["workers"], (await queue(api, boss))["workers"]) == (2, 1)
    assert (await queue(api, boss, "audit"))["workers"] == 0


async def test_without_redis_nobody_knows_who_works_and_all_else_is_told(
    api: aiohttp.ClientSession, parts: Parts
) -> None:
    away = Redis("redis://127.0.0.1:1/0", Metrics())
    service = QueueService(database=parts.database, redis=away, metrics=parts.metrics)

    found = await service.all()

    assert [item.state.queue for item in found] == queues()
    assert {item.workers for item in found} == {None}
    await away.close()


async def test_a_queue_is_held_and_released_once_however_often_that_is_asked(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    boss = await admin(api, owner)
    counters = [parts.metrics.job_changes.labels(change) for change in ("held", "released")]
    before = [counter._value.get() for counter in counters]

    held = [await call(api, boss, "POST", "/admin/queues/emails/hold", _HOLD) for _ in "ab"]
    released = [await call(api, boss, "POST", "/admin/queues/emails/release") for _ in "ab"]
    after = [counter._value.get() for counter in counters]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1]

    assert [status for status, _ in held + released] == [200] * 4
    paused = held[0][1]["data"]["paused"]
    assert held[1][1]["data"]["paused"] == paused
    assert (paused["reason"], paused["held"]) == (_HOLD["reason"], True)
    assert [told["data"]["paused"] for _, told in released] == [None, None]
    assert await events(owner, "queue.held", "queue.released") == [
        ("queue.held", {"queue": "emails", **_HOLD}),
        ("queue.released", {"queue": "emails", "reason": "none given"}),
    ]


async def test_a_server_that_answers_or_does_not_never_lifts_a_hold(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    boss = await admin(api, owner)
    await call(api, boss, "POST", "/admin/queues/emails/hold", _HOLD)

    async with parts.database.reading() as storage:
        await storage.pauses.resume("emails")
        await storage.pauses.pause("emails", "refused")

    paused = (await queue(api, boss))["paused"]
    assert (paused["reason"], paused["held"]) == (_HOLD["reason"], True)


async def test_releasing_leaves_a_queue_alone_that_waits_for_its_server(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    boss = await admin(api, owner)
    async with parts.database.reading() as storage:
        await storage.pauses.pause("emails", "refused")

    _, told = await call(api, boss, "POST", "/admin/queues/emails/release", {})

    assert told["data"]["paused"]["reason"] == "refused"
    assert await events(owner, "queue.released") == []


async def test_nothing_of_a_held_queue_is_handed_over_whatever_the_relay_had_begun(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    boss = await admin(api, owner)
    first = await job_in(parts, owner, "pending")
    async with parts.database.reading() as storage:
        assert first in {due.id for due in await storage.outbox.claim_due(10)}

    await call(api, boss, "POST", "/admin/queues/emails/hold", _HOLD)
    await job_in(parts, owner, "pending")
    await owner.execute("UPDATE queue_pauses SET until = now() - interval '1 hour'")

    async with parts.database.reading() as storage:
        claimed = await storage.outbox.claim_due(10)
    assert "emails" not in {due.queue for due in claimed}


@pytest.mark.parametrize("deed", ["hold", "release"])
async def test_a_queue_of_another_name_is_not_found(
    api: aiohttp.ClientSession, owner: Any, deed: str
) -> None:
    boss = await admin(api, owner)

    status, told = await call(api, boss, "POST", f"/admin/queues/letters/{deed}", _HOLD)

    assert (status, told["error"]["code"]) == (404, "NOT_FOUND")
    assert await owner.fetchval("SELECT count(*) FROM queue_pauses") == 0


async def test_a_hold_needs_a_reason_and_the_right(api: aiohttp.ClientSession, owner: Any) -> None:
    boss = await admin(api, owner)
    reader = await holder(api, owner, "jobs:read")

    unsaid = await call(api, boss, "POST", "/admin/queues/emails/hold", {})
    denied = await call(api, reader, "POST", "/admin/queues/emails/hold", _HOLD)

    assert (unsaid[0], denied[0]) == (400, 403)
    assert await owner.fetchval("SELECT count(*) FROM queue_pauses") == 0


async def test_messages_in_quarantine_are_shown_printable_and_deleted(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    boss = await admin(api, owner)
    raw = b"\x1b[2J \xff\x00\r\n<script>"
    async with parts.database.reading() as storage:
        await storage.quarantine.add(queue="emails", reason="cannot be decoded", message=raw)

    _, told = await call(api, boss, "GET", "/admin/quarantine?filter[queue]=emails")
    [message] = told["data"]
    gone = [await call(api, boss, "DELETE", f"/admin/quarantine/{message['id']}") for _ in range(2)]

    assert message["head"] == r"\x1b[2J \xff\x00\r\n<script>"
    assert (message["size"], message["reason"]) == (len(raw), "cannot be decoded")
    assert [status for status, _ in gone] == [200, 404]
    [(_, facts)] = await events(owner, "quarantine.message_deleted")
    assert facts == {"queue": "emails"}


async def test_of_many_holds_at_once_one_is_noted(api: aiohttp.ClientSession, owner: Any) -> None:
    boss = await admin(api, owner)

    answers = await asyncio.gather(
        *(call(api, boss, "POST", "/admin/queues/emails/hold", _HOLD) for _ in range(8))
    )

    assert {status for status, _ in answers} == {200}
    assert len(await events(owner, "queue.held")) == 1
