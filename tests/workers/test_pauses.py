"""A server away: its queue waits, in order, and runs again at the first answer."""

from typing import Any

import pytest

from tests.workers.conftest import Put, Row
from tests.workers.trying import Noting, Try, raising, runner
from workers.outcomes import GivenUp, LeftMidway, ServerAway
from workers.toolbox import Tools

# As the relay lets one out of a paused queue.
_PROBE = "UPDATE outbox SET state = 'handed_over', handed_at = clock_timestamp() WHERE id = $1"


async def test_a_server_away_pauses_the_queue_and_keeps_the_order(
    tools: Tools, put: Put, row: Row, owner: Any
) -> None:
    first, second = [await put(Try(number), handed_over=True) for number in (1, 2)]
    before, work = await row(first), Noting()

    await runner(tools, raising(ServerAway("connection refused"))).run(first)
    await runner(tools, work).run(second)  # was in Redis already when the queue was paused

    kept = await row(first)
    assert (kept["state"], kept["attempts"]) == ("pending", 0)
    assert kept["available_at"] == before["available_at"]
    assert kept["last_error"] == "connection refused"
    assert work.did == []
    assert (await row(second))["state"] == "pending"
    pause = await owner.fetchrow("SELECT * FROM queue_pauses")
    assert (pause["queue"], pause["reason"]) == ("emails", "connection refused")


@pytest.mark.parametrize("error", [None, GivenUp("550"), RuntimeError("451")])
async def test_one_probe_is_let_out_and_any_answer_lets_the_queue_run_again(
    tools: Tools, put: Put, owner: Any, error: Exception | None
) -> None:
    promises = [await put(Try(number)) for number in range(3)]
    await runner(tools, raising(ServerAway("refused"))).run(promises[0])
    async with tools.database.reading() as storage:
        assert await storage.outbox.claim_due(10) == []  # not before 15 seconds are over
        await owner.execute("UPDATE queue_pauses SET until = now() - interval '1 second'")
        (probe,) = await storage.outbox.claim_due(10)
        assert await storage.outbox.claim_due(10) == []

        await runner(tools, raising(error) if error else Noting()).run(probe.id)

        assert probe.id == promises[0]
        assert [due.id for due in await storage.outbox.claim_due(10)] == promises[1:]


async def test_no_probe_is_spent_while_nothing_is_due(tools: Tools, put: Put, owner: Any) -> None:
    promise_id = await put(Try())
    await runner(tools, raising(ServerAway("refused"))).run(promise_id)
    await owner.execute("UPDATE queue_pauses SET until = now() - interval '1 second'")
    due = "UPDATE outbox SET available_at = now() + $1::text::interval"
    found = []

    for when in ("1 hour", "-1 second"):
        await owner.execute(due, when)
        async with tools.database.reading() as storage:
            found.append([probe.id for probe in await storage.outbox.claim_due(10)])

    assert found == [[], [promise_id]]


async def test_a_letter_over_which_the_server_stumbles_steps_back_after_three_tries(
    tools: Tools, put: Put, row: Row, owner: Any
) -> None:
    promise_id = await put(Try())
    stumbling = runner(tools, raising(LeftMidway("silent at DATA")))

    for number in (1, 2):
        await owner.execute(_PROBE, promise_id)
        await stumbling.run(promise_id)
        kept = await row(promise_id)
        assert (kept["state"], kept["attempts"]) == ("pending", number)
        assert kept["seconds"] <= 0
    await owner.execute(_PROBE, promise_id)
    await stumbling.run(promise_id)

    assert (await row(promise_id))["seconds"] > 10
    assert await owner.fetchval("SELECT count(*) FROM queue_pauses") == 1


async def test_a_letter_known_to_be_stumbled_over_holds_no_other(
    tools: Tools, put: Put, owner: Any
) -> None:
    poison, other = await put(Try(1)), await put(Try(2))
    stumbling = runner(tools, raising(LeftMidway("hung up")))
    for _ in range(2):
        await owner.execute(_PROBE, poison)
        await stumbling.run(poison)
    await owner.execute("DELETE FROM queue_pauses")  # a probe of another letter went well

    await stumbling.run(poison)

    async with tools.database.reading() as storage:
        assert [due.id for due in await storage.outbox.claim_due(10)] == [other]
    assert await owner.fetchval("SELECT count(*) FROM queue_pauses") == 0
