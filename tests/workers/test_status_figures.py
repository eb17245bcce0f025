"""What `python -m workers status` shows: each figure under its own name."""

from typing import Any

import pytest

from api.parts import Parts
from storage.backlog import QueueState
from storage.processes import Process, Work, beat
from tests.api.jobs import STATES, job_in, many_in
from tests.conftest import MakeSettings
from workers.status import Status, look
from workers.toolbox import Tools

_BEGIN = "UPDATE outbox SET available_at = now() - interval '90 seconds' WHERE state = 'pending'"


def cells(table: str, name: str) -> dict[str, str]:
    """Return one row of a table by the heads of its columns."""
    rows = table.splitlines()
    row = next(line for line in rows if line.split()[:1] == [name])
    head = next(line for line in reversed(rows[: rows.index(row)]) if line.split()[0].isupper())
    names = [part.strip() for part in head.split("  ") if part.strip()]
    ends = [*(head.index(part) for part in names[1:]), len(row)]
    starts = [0, *ends]
    return {
        part: row[start:end].strip() for part, start, end in zip(names, starts, ends, strict=False)
    }


async def test_the_figures_of_a_queue_stand_under_their_names(
    tools: Tools, parts: Parts, owner: Any
) -> None:
    for number, state in enumerate(STATES, start=1):
        for _ in range(number):
            await job_in(parts, owner, state)
    for number in range(2):
        await beat(tools.redis, f"emails.{number}@here/{number}", Work(["emails"], 4))

    status = await look(tools.settings)

    row = cells(status.table(), "emails")
    assert {name: row[name] for name in row if name not in {"QUEUE", "OLDEST"}} == {
        "PENDING": "1", "DELAYED": "2", "HANDED OVER": "3", "RUNNING": "4", "DEAD": "6",
        "DONE/MIN": "1.0", "WORKERS": "2", "PAUSED": "-",
    }  # fmt: skip
    facts = next(item for item in status.facts()["queues"] if item["queue"] == "emails")
    assert 0 < facts.pop("oldestSeconds") < 60
    assert facts == {
        "queue": "emails", "pending": 1, "delayed": 2, "handedOver": 3, "running": 4, "dead": 6,
        "donePerMinute": 1.0, "diedPerMinute": 1.2, "paused": None, "workers": 2,
    }  # fmt: skip


async def test_of_a_process_its_place_and_its_work_are_shown(tools: Tools) -> None:
    await beat(tools.redis, "emails.1@here/31", Work(["emails", "audit"], 4))
    await beat(tools.redis, "relay.1@there/7", Work())

    table = (await look(tools.settings)).table()

    emails, relay = cells(table, "emails.1"), cells(table, "relay.1")
    assert [emails[name] for name in ("HOST", "PID", "THREADS", "QUEUES")] == [
        "here", "31", "4", "emails audit",
    ]  # fmt: skip
    assert [relay[name] for name in ("HOST", "PID", "THREADS", "QUEUES")] == [
        "there", "7", "-", "-",
    ]  # fmt: skip
    assert emails["HEARD"].endswith(" s ago")


@pytest.mark.parametrize(
    ("held", "shown"), [(True, "held: a move"), (False, "waits for its server: a move")]
)
async def test_a_queue_that_is_held_and_one_that_waits_are_told_apart(
    tools: Tools, owner: Any, *, held: bool, shown: str
) -> None:
    await owner.execute(
        "INSERT INTO queue_pauses (queue, until, reason, held) VALUES ('emails', now(), $1, $2)",
        "a move",
        held,
    )

    assert cells((await look(tools.settings)).table(), "emails")["PAUSED"] == shown


async def test_without_redis_nobody_is_counted_and_that_alone_is_told_of_processes(
    make_settings: MakeSettings, clean: None, owner: Any
) -> None:
    status = await look(make_settings(redis_url="redis://127.0.0.1:1/0"))

    assert [text.partition(":")[0] for text in status.problems] == ["Redis does not answer"]
    facts = status.facts()
    assert (facts["ok"], facts["processes"]) == (False, None)
    assert {item["workers"] for item in facts["queues"]} == {None}
    assert cells(status.table(), "emails")["WORKERS"] == "?"


async def test_of_what_waits_the_oldest_is_told_and_a_queue_of_others_hides_nothing(
    tools: Tools, owner: Any
) -> None:
    await many_in(owner, "pending", 2)
    await owner.execute(_BEGIN)
    await many_in(owner, "done", 3, queue="passwords")

    told = (await look(tools.settings)).problems

    assert [text.partition(" waits")[0] for text in told if "stalled" in text] == [
        "emails: stalled: a job"
    ]


@pytest.mark.parametrize(("done", "died", "expected"), [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_a_queue_in_which_something_ended_is_not_stalled(
    done: int, died: int, expected: int
) -> None:
    everybody = [
        Process(name="all.1", host="here", pid=1, queues=("emails",)),
        Process(name="relay.1", host="here", pid=2),
        Process(name="clock.1", host="here", pid=3),
    ]
    late = QueueState(
        queue="emails", pending=1, oldest_seconds=90.0, done_recently=done, died_recently=died
    )

    assert len(Status(queues=[late], processes=everybody).problems) == expected
