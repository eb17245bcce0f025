"""Commands as an operator types them: processes of their own, forked instead of started anew."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from tempfile import TemporaryFile

from ops.child import Spawn
from tests.nursery import Forking
from tests.ops.stacks import ROOT

Run = Callable[..., Awaitable[tuple[int, str, str]]]


async def run(
    forking: Forking,
    *command: str,
    environ: Mapping[str, str],
    folder: Path = ROOT,
    given: str = "",
) -> tuple[int, str, str]:
    """Run `python -m command`, which reads `given`; return exit code, output and complaints."""
    with TemporaryFile() as read, TemporaryFile() as said, TemporaryFile() as complained:
        read.write(given.encode())
        read.seek(0)
        how = Spawn(
            death_signal=signal.SIGKILL,
            environment={"PATH": os.environ["PATH"]} | dict(environ),
            folder=folder,
            input=read.fileno(),
            output=said.fileno(),
            errors=complained.fileno(),
        )
        process = forking.start(command[0], command[1:], how)
        while process.poll() is None:  # noqa: ASYNC110 - it sets no event of ours
            await asyncio.sleep(0.02)
        said.seek(0)
        complained.seek(0)
        return process.wait(), said.read().decode(), complained.read().decode()
