"""The Procfile under honcho, against servers of one's own: what `ops up` does is no magic."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from ops.child import Spawn, spawn
from tests.factories import free_port, new_user
from tests.ops.stacks import ROOT, wait_until
from tests.ops.test_up import gone, post, ready


@pytest.fixture
def honcho(
    environ: dict[str, str], clean: None, tmp_path: Path
) -> Iterator[tuple[subprocess.Popen[bytes], int, Path]]:
    """Run `honcho start -c emails=2`; give the process, the port and the home."""
    port = free_port()
    settings = environ | {"PORT": str(port), "WEB_PROCESSES": "1", "OSTIARY_HOME": str(tmp_path)}
    settings["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    how = Spawn(death_signal=signal.SIGTERM, environment=os.environ | settings, folder=ROOT)
    process = spawn([sys.executable, "-m", "honcho", "start", "-c", "emails=2"], how)
    yield process, port, tmp_path
    if process.poll() is None:
        process.terminate()
        process.wait(60)


def test_the_procfile_runs_under_honcho_until_it_is_stopped(
    honcho: tuple[subprocess.Popen[bytes], int, Path], owner: Any
) -> None:
    process, port, home = honcho

    wait_until(lambda: ready(port), 40)
    told = post(port, "/api/v1/auth/register", new_user())
    wait_until(lambda: bool(list((home / "mail").glob("*.eml"))))
    processes = psutil.Process(process.pid).children(recursive=True)
    commands = [" ".join(one.cmdline()) for one in processes]
    process.terminate()
    process.wait(60)

    assert told["success"] is True
    assert sum("--queues emails" in command and "sh -c" not in command for command in commands) == 2
    wait_until(lambda: gone(processes))
