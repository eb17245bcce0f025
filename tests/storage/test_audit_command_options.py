"""What the options of `python -m storage audit search` and `export` leave out, and leave behind."""

import json
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ops.ids import new_id
from tests import commands
from tests.commands import Run
from tests.nursery import Forking
from tests.storage.trail import note, seal
from workers.toolbox import Tools


@pytest.fixture
def run(forking: Forking, environ: dict[str, str], tmp_path: Path) -> Run:
    """Give the program: exit code, output, errors."""
    own = environ | {"OSTIARY_HOME": str(tmp_path)}
    return partial(commands.run, forking, "storage", "audit", environ=own)


async def found(run: Run, *options: str) -> list[dict[str, Any]]:
    """Return the events that a search prints."""
    code, text, errors = await run("search", "--json", *options)
    assert code == 0, errors
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    "other",
    [
        ("--actor", str(new_id())),
        ("--subject", str(new_id())),
        ("--outcome", "failure"),
        ("--address", "198.51.100.8"),
        ("--request", "req_10"),
        ("--action", "team.*"),
    ],
)
async def test_an_event_that_does_not_match_is_not_printed(
    tools: Tools, run: Run, other: tuple[str, str]
) -> None:
    ada = new_id()
    await note(
        *(tools.database, "user.deleted"),
        actor=ada,
        subject=ada,
        address="198.51.100.7",
        request_id="req_9",
    )

    assert await found(run, *other) == []


async def test_a_day_counts_whole_and_a_time_is_read_where_it_was_written(
    tools: Tools, run: Run
) -> None:
    await note(tools.database, "user.created")
    (event,) = await found(run, "--action", "user.*")
    at = datetime.fromisoformat(event["time"])
    there = at.astimezone(timezone(timedelta(hours=5)))
    day, before = at.astimezone(UTC).date(), at.date() - timedelta(days=1)

    async def finds(*options: str) -> bool:
        return bool(await found(run, "--action", "user.*", *options))

    assert await finds("--since", str(day), "--until", str(day))
    assert not await finds("--until", str(before))
    assert await finds("--since", there.isoformat(), "--until", there.isoformat())
    assert not await finds("--since", (there + timedelta(seconds=1)).isoformat())
    assert not await finds("--until", (there - timedelta(seconds=1)).isoformat())
    assert await finds("--until", at.replace(tzinfo=None).isoformat())


async def test_the_newest_are_printed_as_many_as_wanted_with_who_and_whom(
    tools: Tools, run: Run
) -> None:
    ada, eve = new_id(), new_id()
    await note(tools.database, "user.created", actor=ada, subject=eve)
    await seal(tools.database)
    await note(tools.database, "user.deleted", actor=ada, subject=eve)

    _, one, _ = await run("search", "--limit", "1", "--action", "user.*")
    _, two, _ = await run("search", "--limit", "2", "--action", "user.*")

    (newest,) = one.splitlines()
    assert "user.deleted" in newest
    assert f"by {ada}  to {eve}" in newest
    assert "(waits)" in newest
    assert "(waits)" not in two.splitlines()[1]


async def test_what_a_killed_export_left_is_in_no_later_one(
    tools: Tools, run: Run, tmp_path: Path
) -> None:
    await note(tools.database, "user.created")
    await seal(tools.database)
    left = tmp_path / "trail.jsonl.part"
    left.write_text("{}\n" * 10_000)

    code, _, _ = await run("export", "--output", str(tmp_path / "trail.jsonl"))

    assert code == 0
    assert len((tmp_path / "trail.jsonl").read_text().splitlines()) == 1
    assert not left.exists()


async def test_an_export_that_cannot_get_its_name_did_not_succeed(
    tools: Tools, owner: Any, run: Run, tmp_path: Path
) -> None:
    await note(tools.database, "user.created")
    await seal(tools.database)
    (tmp_path / "trail").mkdir()

    code, _, _ = await run("export", "--output", str(tmp_path / "trail"))

    assert code == 1
    assert not (tmp_path / "trail.part").exists()
    ended = "SELECT outcome FROM audit_inbox WHERE action = 'audit.exported'"
    assert await owner.fetchval(ended) == "failure"
