"""How processes start when something is wrong: one line with the cure, no traceback."""

import time
from pathlib import Path

import pytest

from ops.errors import Unavailable
from ops.start import until_reachable
from tests.commands import run
from tests.nursery import Forking


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
