"""Puts load on a server: by wrk where it is and will do, else by our own loader."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.asked import Answered, Load, as_json, from_wrk

_SCRIPT = Path(__file__).with_name("wrk.lua")
_ROOT = Path(__file__).parents[2]
# A slow answer is slow, not an error.
_PATIENCE = "30s"


class LoadFailed(Exception):  # noqa: N818 - read as a sentence where it is caught
    """Some answers were no success: what was measured is not what was meant."""


def ready() -> str:
    """Install wrk where that takes no more than asking Debian; say what will load."""
    if not shutil.which("wrk") and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update"], ["apt-get", "install", "-y", "wrk"]):
            subprocess.run(command, env=environ, check=False, **quiet)
    return "wrk" if shutil.which("wrk") else "python -m tests.bench.loader"


async def quickly(load: Load, *, at_once: int, seconds: float) -> Answered:
    """Ask as fast as answers come; requests in flight at the end are not waited for."""
    if not shutil.which("wrk"):
        return await exactly(load, at_once=at_once, seconds=seconds)
    requests = b"\0".join(request.raw(load.host) for request in load.requests)
    how = ["-t1", f"-c{at_once}", f"-d{max(1, round(seconds))}s", f"--timeout={_PATIENCE}"]
    with tempfile.NamedTemporaryFile() as file:
        file.write(requests)
        file.flush()
        url = f"http://{load.host}/"
        return from_wrk(await _told("wrk", *how, "-s", str(_SCRIPT), url, "--", file.name))


async def exactly(load: Load, *, at_once: int, seconds: float) -> Answered:
    """Ask by our own loader, which waits for all it asked and can follow a chain of tokens."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(as_json(load))
        file.flush()
        how = ("-m", "tests.bench.loader", file.name, str(at_once), str(seconds))
        return from_wrk(await _told(sys.executable, *how))


def checked(who: str, answered: Answered) -> Answered:
    """Return it; raise LoadFailed when anything was refused or broke."""
    if answered.failures:
        raise LoadFailed(
            f"{who}: {answered.refused} of {answered.requests} answers were no success,"
            f" {answered.broken} did not come {answered.why}"
        )
    return answered


async def _told(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    output, errors = await process.communicate()
    if process.returncode:
        raise LoadFailed(f"{command[0]}: {errors.decode()[-500:]}")
    return output.decode()
