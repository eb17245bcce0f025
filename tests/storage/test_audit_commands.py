"""`python -m storage audit search` and `export`, as processes."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from ops.child import Spawn
from ops.ids import new_id
from tests import commands
from tests.commands import Run
from tests.nursery import Farborn, Forking
from tests.ops.stacks import ROOT
from tests.storage.trail import note, seal
from workers.toolbox import Tools


@pytest.fixture
def run(forking: Forking, environ: dict[str, str], tmp_path: Path) -> Run:
    """Give the program: exit code, output, errors."""
    own = environ | {"OSTIARY_HOME": str(tmp_path)}
    return partial(commands.run, forking, "storage", "audit", environ=own)


@contextmanager
def exporting(forking: Forking, environ: dict[str, str]) -> Iterator[tuple[Farborn, BinaryIO]]:
    """Run an export; give the process, and the end of the pipe that it writes to."""
    reading, writing = os.pipe()
    how = Spawn(death_signal=signal.SIGKILL, environment=environ, folder=ROOT, output=writing)
    process = forking.start("storage", ["audit", "export", "--output", "-"], how)
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as output:
        yield process, output


def left(folder: Path) -> list[str]:
    """Name what an export left, whole or not."""
    return [path.name for path in folder.glob("*trail*")]


async def told(owner: Any) -> Any:
    """Return the events that wait to be sealed."""
    return await owner.fetch("SELECT * FROM audit_inbox ORDER BY id")


async def test_events_are_printed_as_asked_for(tools: Tools, owner: Any, run: Run) -> None:
    ada = new_id()
    await note(tools.database, "user.created", "team.created")
    await note(
        *(tools.database, "user.deleted"),
        actor=ada,
        subject=ada,
        address="198.51.100.7",
        request_id="req_9",
        reason="a\x1b[31m",
    )
    await seal(tools.database)

    code, text, _ = await run("search", "--action", "user.*", "--limit", "5")
    narrowed = await run(
        *("search", "--json", "--actor", str(ada), "--subject", str(ada), "--outcome", "success"),
        *("--address", "198.51.100.7", "--request", "req_9", "--since", "2020-01-01"),
        *("--until", "2100-01-01T00:00:00Z", "--action", "user.deleted"),
    )

    lines = text.splitlines()
    assert (code, len(lines)) == (0, 2)
    assert "user.deleted" in lines[0]
    assert f"by {ada}" in lines[0]
    assert "\x1b" not in text
    assert json.loads(narrowed[1])["id"]
    assert json.loads(narrowed[1])["address"] == "198.51.100.7"
    assert [row["action"] for row in await told(owner)] == ["audit.searched"] * 2
    assert {row["actor_kind"] for row in await told(owner)} == {"operator"}


@pytest.mark.parametrize(
    "options",
    [
        ("--actor", "x"), ("--action", "user"), ("--limit", "0"), ("--limit", "1000000000"),
        ("--outcome", "fine"), ("--address", "10.0.0.0/8"), ("--since", "soon"),
        ("--until", "9999-12-31"),
    ],
)  # fmt: skip
async def test_a_wrong_option_is_named_and_exits_with_2(run: Run, options: tuple[str, str]) -> None:
    code, text, errors = await run("search", *options)

    assert (code, text) == (2, "")
    assert options[0] in errors


async def test_an_export_is_a_file_that_is_whole_and_for_nobody_else(
    tools: Tools, owner: Any, run: Run, tmp_path: Path
) -> None:
    await note(tools.database, *["user.created"] * 1_100, "team.created")
    await seal(tools.database, limit=2_000)
    file = tmp_path / "trail.csv"

    code, text, errors = await run("export", "--format", "csv", "--output", str(file))
    _, lines, _ = await run("export", "--action", "team.*")

    assert (code, text) == (0, "")
    assert len(file.read_text().splitlines()) == 1_102
    assert file.stat().st_mode & 0o777 == 0o600
    assert left(tmp_path) == ["trail.csv"]
    assert "1,101 rows" in errors
    assert json.loads(lines)["event"]["action"] == "team.created"
    begun, done, *_ = await told(owner)
    assert (begun["action"], done["action"]) == ("audit.export_begun", "audit.exported")
    facts = {"count": 1_101, "format": "csv", "by_command": True}
    assert (done["outcome"], json.loads(done["facts"])) == ("success", facts)
    assert begun["actor_kind"] == done["actor_kind"] == "operator"
    assert begun["request_id"] == done["request_id"]
    assert done["request_id"].startswith("command-")


async def test_an_export_whose_reader_leaves_is_in_the_trail_as_one_that_failed(
    tools: Tools, owner: Any, environ: dict[str, str], forking: Forking
) -> None:
    await note(tools.database, *["user.created"] * 1_100)  # two batches: a pipe may take one whole
    await seal(tools.database, limit=2_000)

    with exporting(forking, environ) as (process, output):
        taken = await asyncio.to_thread(output.read, 10)
    code = await asyncio.to_thread(process.wait, 60)

    assert (len(taken), code) == (10, 1)
    events = [(row["action"], row["outcome"]) for row in await told(owner)]
    assert events == [("audit.export_begun", "success"), ("audit.exported", "failure")]


async def test_an_export_that_is_killed_while_data_leave_is_in_the_trail(
    tools: Tools, owner: Any, environ: dict[str, str], forking: Forking
) -> None:
    await note(tools.database, *["user.created"] * 1_000)
    await seal(tools.database, limit=2_000)

    with exporting(forking, environ) as (process, output):
        await asyncio.to_thread(output.read, 1)
        os.kill(process.pid, signal.SIGKILL)
        code = await asyncio.to_thread(process.wait, 60)

    assert code == -signal.SIGKILL
    assert [row["action"] for row in await told(owner)] == ["audit.export_begun"]


async def test_an_export_that_fails_leaves_the_file_that_was_there(
    tools: Tools, owner: Any, run: Run, tmp_path: Path
) -> None:
    await note(tools.database, *["user.created"] * 5)
    await seal(tools.database)
    file = tmp_path / "trail.jsonl"
    file.write_text("before")

    await owner.execute("REVOKE SELECT ON audit_personal FROM ostiary_worker")
    try:
        code, _, _ = await run("export", "--output", str(file))
    finally:
        await owner.execute("GRANT SELECT ON audit_personal TO ostiary_worker")
    nowhere, _, told = await run("export", "--output", str(tmp_path / "no" / "trail"))

    assert code == 1
    assert file.read_text() == "before"
    assert left(tmp_path) == ["trail.jsonl"]
    assert (nowhere, "No such file" in told) == (1, True)
