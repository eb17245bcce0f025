"""What the pipeline counts: each fact once, under its own labels, by those whom it happened to."""

import asyncio
from typing import Any

import pytest

from ops.errors import Unavailable
from storage.jobs import SendPasswordChanged, SendReset, SendVerification
from tests.mailroom import Mailroom
from tests.workers.conftest import AddUser, Hold, Put
from tests.workers.processes import eventually
from tests.workers.test_many import carry_out, ordered, states
from tests.workers.trying import Do, Noting, Try, Waiting, raising, runner
from workers.broker import Broker
from workers.clock import Clock
from workers.outcomes import GivenUp, LeftMidway, RefusedForNow, ServerAway
from workers.relay import Relay
from workers.toolbox import Tools


def counted(tools: Tools, name: str) -> dict[tuple[str, ...], float]:
    """Return what was counted under each set of labels, without the zeroes."""
    return {
        tuple(sample.labels.values()): sample.value
        for metric in tools.metrics.registry.collect()
        for sample in metric.samples
        if sample.name == name and sample.value
    }


@pytest.mark.parametrize(
    ("work", "outcome", "retries"),
    [
        (Noting(), "done", 0),
        (raising(GivenUp("550")), "dead", 0),
        (raising(RuntimeError("no luck")), "retried", 1),
        (raising(RefusedForNow("451")), "retried", 1),
        (raising(ServerAway("refused")), "waiting", 0),
        (raising(LeftMidway("hung up")), "waiting", 0),
        (raising(Unavailable()), "waiting", 0),
    ],
)
async def test_a_try_is_counted_once_by_how_it_ended(
    tools: Tools, put: Put, work: Do, outcome: str, retries: int
) -> None:
    await runner(tools, work).run(await put(Try()))

    which = ("emails", "emails.try")
    assert counted(tools, "ostiary_jobs_total") == {(*which, outcome): 1}
    assert counted(tools, "ostiary_job_duration_seconds_count") == {which: 1}
    assert counted(tools, "ostiary_job_wait_seconds_count") == {("emails",): 1}
    assert counted(tools, "ostiary_job_retries_total") == ({which: 1} if retries else {})


async def test_a_job_waits_from_when_it_is_due_and_works_from_when_it_begins(
    tools: Tools, put: Put, owner: Any
) -> None:
    promise_id, work = await put(Try()), Waiting()
    await owner.execute("UPDATE outbox SET available_at = now() - interval '90 seconds'")
    running = asyncio.create_task(runner(tools, work).run(promise_id))
    await work.begun.wait()
    at_work = counted(tools, "ostiary_jobs_in_progress")
    await asyncio.sleep(0.2)
    work.may_end.set()
    await running

    (waited,) = counted(tools, "ostiary_job_wait_seconds_sum").values()
    (worked,) = counted(tools, "ostiary_job_duration_seconds_sum").values()
    assert 90 <= waited < 120
    assert 0.2 <= worked < 30
    assert (at_work, counted(tools, "ostiary_jobs_in_progress")) == ({("emails",): 1}, {})


async def test_the_relay_counts_what_it_handed_over_what_was_refused_and_what_it_recalled(
    tools: Tools, put: Put, owner: Any, broker: Broker
) -> None:
    relay = Relay(tools, broker)
    await relay.relay_once()  # and learns that there is room
    for _ in range(3):
        await put(Try())
    broker.client.set("dramatiq:emails", "not a list")

    await relay.relay_once()
    broker.client.delete("dramatiq:emails")
    await put(Try())
    await relay.relay_once()
    broker.client.flushdb()
    await owner.execute("UPDATE outbox SET handed_at = now() - interval '6 seconds'")
    await owner.execute("DELETE FROM outbox WHERE id = (SELECT id FROM outbox LIMIT 1)")
    await relay.recall_once()

    found = counted(tools, "ostiary_outbox_relayed_total")
    assert found == {("refused",): 3, ("handed_over",): 4, ("recalled",): 3}


async def test_letters_are_counted_by_what_became_of_them_and_timed_from_their_promise(
    tools: Tools, put: Put, add_user: AddUser, owner: Any, tmp_path: Any
) -> None:
    user_id = await add_user()
    for job in (*[SendReset] * 4, SendVerification, SendPasswordChanged):
        await put(job(user_id))
    await owner.execute("UPDATE outbox SET created_at = now() - interval '90 seconds'")

    await Mailroom(tools, tmp_path).deliver()

    assert counted(tools, "ostiary_letters_total") == {
        ("reset", "handed_over"): 3,
        ("reset", "withheld"): 1,
        ("verification", "handed_over"): 1,
        ("password_changed", "handed_over"): 1,
    }
    assert counted(tools, "ostiary_password_resets_total") == {("sent",): 3}
    assert counted(tools, "ostiary_email_verifications_total") == {("requested",): 1}
    assert counted(tools, "ostiary_letter_seconds_count") == {(): 5}
    assert 5 * 90 <= counted(tools, "ostiary_letter_seconds_sum")[()] < 5 * 120


@pytest.mark.parametrize(
    ("deed", "change"),
    [("retry", "retried"), ("discard", "discarded"), ("replay", "replayed")],
)
async def test_what_an_order_did_is_counted_by_jobs_and_not_by_batches(
    tools: Tools, owner: Any, hold: Hold, deed: str, change: str
) -> None:
    await owner.execute(
        "INSERT INTO outbox (id, queue, name, body, state, finished_at) SELECT gen_random_uuid(),"
        " 'emails', 'emails.verification', '{}', 'dead', now() FROM generate_series(1, 503)"
    )

    await carry_out(tools, deed, await hold(await ordered(tools, deed)))

    assert counted(tools, "ostiary_job_changes_total") == {(change,): 503}
    assert sum((await states(owner)).values()) == (1_006 if deed == "replay" else 503)


async def test_the_clock_tells_how_many_are_signed_in_who_was_active_and_who_administrates(
    tools: Tools, add_user: AddUser, owner: Any
) -> None:
    for number in range(3):
        await add_user(email=f"person{number}@example.com")
    await owner.execute(
        "INSERT INTO sessions (id, user_id, key_id, amr, authenticated_at, absolute_expires_at,"
        " expires_at, ended_at) SELECT gen_random_uuid(), id, 'k1', '{}', now(), now() + age,"
        " now() + age, ended FROM users, (VALUES (interval '1 day', NULL::timestamptz),"
        " ('1 day', now()), ('-1 day', NULL)) AS sessions (age, ended)"
    )
    await owner.execute(
        "INSERT INTO user_roles (user_id, role_id) SELECT users.id, roles.id FROM users, roles"
        " WHERE roles.name = 'admin' AND users.email <> 'person2@example.com'"
    )
    await owner.execute("UPDATE users SET deleted_at = now() WHERE email = 'person1@example.com'")
    await owner.execute(
        "INSERT INTO statistics (day, name, value)"
        " SELECT date_trunc('day', now(), 'UTC') - ago * interval '1 day', name, number - ago"
        " FROM (VALUES ('active_daily', 3), ('active_weekly', 5), ('active_monthly', 8))"
        " AS counts (name, number), generate_series(0, 1) AS ago"
    )

    await Clock(tools).measure()

    assert counted(tools, "ostiary_sessions_active") == {(): 3}
    assert counted(tools, "ostiary_administrators") == {(): 1}
    active = {("daily",): 3, ("weekly",): 5, ("monthly",): 8}
    assert counted(tools, "ostiary_active_users") == active


async def test_one_clock_counts_people_again_and_again(
    tools: Tools, owner: Any, add_user: AddUser
) -> None:
    clock = Clock(tools)

    async def everybody_is_counted() -> bool:
        await clock.measure()
        people = await owner.fetchval("SELECT count(*) FROM users")
        return counted(tools, "ostiary_users") == {("unverified",): people}

    for number in range(3):
        await add_user(email=f"person{number}@example.com")
        await eventually(everybody_is_counted)
