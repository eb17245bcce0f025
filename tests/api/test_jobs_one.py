"""One job is looked at, retried, discarded, replayed, as its state allows."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pytest

from api.parts import Parts
from ops.ids import new_id
from storage.backlog import WrongState, desk
from storage.jobs import SealAudit
from tests.api.holders import events, holder
from tests.api.jobs import STATES, job_in
from tests.factories import bearer
from tests.people import admin, call

_ALLOWED = {
    "retry": {"dead", "discarded", "delayed"},
    "discard": {"dead", "pending", "delayed", "handed_over"},
    "replay": {"dead", "discarded"},
}
_AFTER = {"retry": "pending", "discard": "discarded", "replay": "pending"}


@pytest.mark.parametrize("deed", _ALLOWED)
async def test_each_deed_is_for_some_states_and_says_why_not_in_others(
    api: aiohttp.ClientSession, owner: Any, parts: Parts, deed: str
) -> None:
    boss = await admin(api, owner)
    found = set()

    for state in STATES:
        job_id = await job_in(parts, owner, state)
        status, told = await call(api, boss, "POST", f"/admin/jobs/{job_id}/{deed}")
        if status in {200, 201}:
            found.add(state)
            assert told["data"]["state"] == _AFTER[deed]
        else:
            assert (status, told["error"]["code"]) == (409, "CONFLICT")
            assert state.replace("_", " ") in told["error"]["message"]
            kept = await call(api, boss, "GET", f"/admin/jobs/{job_id}")
            assert kept[1]["data"]["state"] == state

    assert found == _ALLOWED[deed]


async def test_a_retried_job_is_due_at_once_as_if_never_tried(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    boss = await admin(api, owner)
    job_id = await job_in(parts, owner, "dead")

    await call(api, boss, "POST", f"/admin/jobs/{job_id}/retry")

    row = await owner.fetchrow(
        "SELECT *, available_at <= clock_timestamp() AS due FROM outbox WHERE id = $1", job_id
    )
    assert (row["state"], row["due"]) == ("pending", True)
    assert (row["attempts"], row["crashes"]) == (0, 0)
    left = ("holder", "run_until", "handed_at", "finished_at")
    assert [row[name] for name in left] == [None] * 4
    [(_, facts)] = await events(owner, "job.retried")
    assert facts == {"job": "emails.verification", "state": "dead"}
    assert await owner.fetchval(
        "SELECT count(*) FROM audit_inbox WHERE subject_id = $1 AND actor_id IS NOT NULL", job_id
    )


async def test_a_replayed_job_is_a_new_one_with_the_same_body(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    boss = await admin(api, owner)
    old = await job_in(parts, owner, "dead")

    status, told = await call(api, boss, "POST", f"/admin/jobs/{old}/replay")

    made = told["data"]
    assert status == 201
    assert (made["replayOf"], made["state"], made["attempts"]) == (str(old), "pending", 0)
    assert made["id"] != str(old)
    kept = (await call(api, boss, "GET", f"/admin/jobs/{old}"))[1]["data"]
    assert (kept["state"], kept["body"]) == ("dead", made["body"])
    [(_, facts)] = await events(owner, "job.replayed")
    assert facts["replay"] == made["id"]


async def test_a_job_that_is_done_is_replayed_only_when_that_is_said(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    boss = await admin(api, owner)
    place = f"/admin/jobs/{await job_in(parts, owner, 'done')}/replay"

    refused = await call(api, boss, "POST", place, {})
    done = await call(api, boss, "POST", place, {"evenIfDone": True})

    assert refused[0] == 409
    assert "evenIfDone" in refused[1]["error"]["message"]
    assert done[0] == 201


async def test_a_replay_that_is_repeated_with_its_key_makes_one_job(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    boss = bearer(await admin(api, owner)) | {"Idempotency-Key": "once"}
    place = f"/api/v1/admin/jobs/{await job_in(parts, owner, 'dead')}/replay"
    ids = set()

    for _ in range(3):
        async with api.post(place, json={}, headers=boss) as answer:
            assert answer.status == 201
            ids.add((await answer.json())["data"]["id"])
            assert answer.headers["Location"].endswith(next(iter(ids)))

    assert len(ids) == 1
    assert await owner.fetchval("SELECT count(*) FROM outbox WHERE replay_of IS NOT NULL") == 1


async def test_of_many_retries_at_once_one_wins(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    boss = await admin(api, owner)
    place = f"/admin/jobs/{await job_in(parts, owner, 'dead')}/retry"

    answers = await asyncio.gather(*(call(api, boss, "POST", place) for _ in range(8)))

    assert sorted(status for status, _ in answers) == [200] + [409] * 7
    assert len(await events(owner, "job.retried")) == 1


async def test_a_job_retried_since_a_transaction_began_is_due_in_it(
    owner: Any, parts: Parts
) -> None:
    job_id = await job_in(parts, owner, "dead")

    async with parts.database.transaction() as late:
        assert (await late.backlog.by_id(job_id)).state == "dead"
        async with parts.database.transaction() as early:
            await desk.retry(early, job_id)

        with pytest.raises(WrongState):
            await desk.retry(late, job_id)


async def test_a_retry_and_a_discard_at_once_leave_what_the_trail_says_was_last(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    boss = await admin(api, owner)

    for _ in range(10):
        job_id = await job_in(parts, owner, "dead")
        await asyncio.gather(
            *(
                call(api, boss, "POST", f"/admin/jobs/{job_id}/{deed}")
                for deed in ("retry", "discard")
            )
        )
        told = await owner.fetch(
            "SELECT action, facts->>'state' AS before FROM audit_inbox WHERE subject_id = $1",
            job_id,
        )
        state = await owner.fetchval("SELECT state FROM outbox WHERE id = $1", job_id)
        order = sorted((row["before"] != "dead", row["action"]) for row in told)
        assert len({row["before"] for row in told}) == len(told)
        assert order[-1][1] == ("job.retried" if state == "pending" else "job.discarded")


async def test_a_discard_and_a_worker_at_once_have_one_winner(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    boss = await admin(api, owner)

    for _ in range(10):
        job_id = await job_in(parts, owner, "handed_over")

        async def claim() -> bool:
            async with parts.database.reading() as storage:
                return bool(await storage.outbox.claim_runs([(job_id, new_id())], lease=15))  # noqa: B023

        claimed, (status, _) = await asyncio.gather(
            claim(), call(api, boss, "POST", f"/admin/jobs/{job_id}/discard")
        )
        assert (claimed, status) in {(True, 409), (False, 200)}


async def test_a_job_that_runs_says_since_when_and_how_far_it_is(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    boss = await admin(api, owner)
    job_id = await job_in(parts, owner, "running")
    await owner.execute("UPDATE outbox SET progress_done = 5, progress_total = 9")

    found = (await call(api, boss, "GET", f"/admin/jobs/{job_id}"))[1]["data"]

    assert found["progress"] == {"done": 5, "total": 9}
    began = await owner.fetchval("SELECT started_at FROM outbox WHERE id = $1", job_id)
    assert abs(datetime.fromisoformat(found["runningSince"]) - began) < timedelta(milliseconds=2)
    assert found["body"] == {"user_id": "00000000-0000-0000-0000-000000000000"}


async def test_a_job_tells_what_became_of_its_letter(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    boss = await admin(api, owner)
    job_id = await job_in(parts, owner, "dead")
    await owner.execute(
        "INSERT INTO letters (id, template, state, answer) VALUES ($1, 'x', 'failed', '550')",
        job_id,
    )

    found = (await call(api, boss, "GET", f"/admin/jobs/{job_id}"))[1]["data"]

    assert found["letter"] == {"state": "failed", "answer": "550"}


@pytest.mark.parametrize(
    "name",
    ["01935b5c-6d1e-7a3b-8c4d-5e6f708192a4", "no-id", "{01935b5c-6d1e-7a3b}"],
)
async def test_a_job_that_nobody_promised_is_not_found(
    api: aiohttp.ClientSession, owner: Any, name: str
) -> None:
    boss = await admin(api, owner)

    for method, path in (
        ("GET", ""),
        ("POST", "/retry"),
        ("POST", "/discard"),
        ("POST", "/replay"),
    ):
        assert (await call(api, boss, method, f"/admin/jobs/{name}{path}"))[0] == 404


async def test_who_may_only_read_changes_nothing(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    reader = await holder(api, owner, "jobs:read")
    job_id = await job_in(parts, owner, "dead")

    assert (await call(api, reader, "GET", f"/admin/jobs/{job_id}"))[0] == 200
    for deed in _ALLOWED:
        assert (await call(api, reader, "POST", f"/admin/jobs/{job_id}/{deed}"))[0] == 403
        order = {"filter": {}}
        assert (await call(api, reader, "POST", f"/admin/jobs/{deed}", order))[0] == 403

    assert await owner.fetchval("SELECT state FROM outbox WHERE id = $1", job_id) == "dead"


async def test_a_seal_is_not_retried_beside_another(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    boss = await admin(api, owner)
    job_id = await job_in(parts, owner, "dead", job=SealAudit())
    await job_in(parts, owner, "pending", job=SealAudit())

    for deed in ("retry", "replay"):
        status, told = await call(api, boss, "POST", f"/admin/jobs/{job_id}/{deed}")
        assert (status, told["error"]["code"]) == (409, "CONFLICT")
