"""How processes start when something is wrong: one line with the cure, no traceback."""

import os
import subprocess
import sys
from pathlib import Path

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
