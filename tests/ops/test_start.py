"""How processes start when something is wrong: one line with the cure, no traceback."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ops.errors import Unavailable
from ops.start import until_reachable
from tests.commands import run
from tests.nursery import Forking
from tests.ops.stacks import ROOT

# A process whose server stays away, and one that is told to stop.
AWAY = """
import sys
from ops.errors import Unavailable
from ops.start import run_process

def serve(settings, name):
    raise Unavailable("nobody there")

sys.exit(run_process("trial", serve))
"""
STOPPED = """
import asyncio, os, sys
from ops.start import run_process, stop_on_signals

async def work():
    stop = stop_on_signals()
    os.kill(os.getpid(), int(sys.argv[1]))
    await asyncio.wait_for(stop.wait(), 30)

def serve(settings, name):
    asyncio.run(work())
    return 0

sys.exit(run_process("trial", serve))
"""


def done(script: str, *arguments: str, environ: dict[str, str]) -> tuple[int, str]:
    """Run a script; return its exit code and everything it said."""
    ended = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | environ,
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr


def test_a_server_that_stayed_away_is_a_failure_with_its_reason(environ: dict[str, str]) -> None:
    code, said = done(AWAY, environ=environ)

    assert code == 1
    assert "cannot start" in said
    assert "nobody there" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_told_to_stop_succeeds(environ: dict[str, str], number: int) -> None:
    assert done(STOPPED, str(int(number)), environ=environ)[0] == 0


async def test_every_address_that_a_process_needs_is_named_when_it_is_missing(
    environ: dict[str, str], forking: Forking, tmp_path: Path
) -> None:
    needed = ("DATABASE_URL", "REDIS_URL", "SECRET_KEYS")
    own = environ | {"OSTIARY_HOME": str(tmp_path)}

    nothing = await run(forking, "workers.clock", environ={"OSTIARY_HOME": str(tmp_path)})
    no_redis = await run(forking, "workers.clock", environ=own | {"REDIS_URL": ""})

    assert nothing[0] == no_redis[0] == 78
    assert [line.partition(":")[0] for line in nothing[2].splitlines()] == list(needed)
    assert no_redis[2] == "REDIS_URL: not set; run `make up`, or set it to yours\n"


async def test_a_look_at_letters_under_wrong_settings_is_one_line_a_mistake(
    forking: Forking, tmp_path: Path
) -> None:
    wrong = {"OSTIARY_HOME": str(tmp_path), "PORT": "x"}

    code, _, told = await run(forking, "workers.check", environ=wrong)

    assert (code, len(told.splitlines())) == (78, 1)
    assert told.startswith("PORT=x: ")


async def test_a_log_folder_that_cannot_be_written_is_one_line_with_the_setting(
    environ: dict[str, str], forking: Forking, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    wrong = {"LOG_DIR": str(blocked / "logs")}

    code, _, told = await run(forking, "workers.clock", environ=environ | wrong)

    assert code == 78
    assert told.startswith(f"LOG_DIR={blocked}")
    assert "Traceback" not in told


async def test_a_server_that_is_still_starting_is_waited_for() -> None:
    attempts = []

    async def attempt() -> str:
        attempts.append(time.monotonic())
        if len(attempts) < 3:
            raise Unavailable
        return "here"

    found = await until_reachable("It", attempt, patience=5)

    assert found == "here"
    assert attempts[2] - attempts[1] > attempts[1] - attempts[0] > 0.1


async def test_a_server_that_stays_away_is_not_waited_for_for_ever() -> None:
    async def attempt() -> None:
        raise Unavailable("nobody there")

    started = time.monotonic()
    with pytest.raises(Unavailable, match="nobody there"):
        await until_reachable("It", attempt, patience=0.5)

    assert 0.4 < time.monotonic() - started < 5
