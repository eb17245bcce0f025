"""How processes start when something is wrong: one line with the cure, no traceback."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ops.errors import Unavailable
from ops.start import until_reachable
from tests.ops.stacks import ROOT


def test_a_log_folder_that_cannot_be_written_is_one_line_with_the_setting(
    environ: dict[str, str], tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")

    found = subprocess.run(
        [sys.executable, "-m", "workers.clock"],
        cwd=ROOT,
        env=os.environ | environ | {"LOG_DIR": str(blocked / "logs")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert found.returncode == 78
    assert found.stderr.startswith(f"LOG_DIR={blocked}")
    assert "Traceback" not in found.stderr


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
