"""Programs of others: run with their words in a file, until they answer, and ended by their id."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from ops.child import Spawn, kill_group, spawn, tell

_ANSWERS_WITHIN = 60.0
_ENDS_WITHIN = 10.0


class NotStarted(Exception):  # noqa: N818 - read as a sentence where it is caught
    """A contender ended or stayed silent; the text has its last words."""


@dataclass(slots=True, kw_only=True)
class Command:
    """One program that serves."""

    words: Sequence[str]
    folder: Path
    environ: Mapping[str, str]
    process: "subprocess.Popen[bytes] | None" = None

    async def start(self, url: str) -> float:
        """Run it until the address answers 200; return the seconds that took; NotStarted."""
        output = self.folder / "said.log"
        begun = time.perf_counter()
        self.process = self._launched(output)
        async with aiohttp.ClientSession() as client:
            while not await _answers(client, url):
                ended = self.process.poll() is not None
                if ended or time.perf_counter() - begun > _ANSWERS_WITHIN:
                    raise NotStarted(output.read_text()[-2_000:])
                await asyncio.sleep(0.005)
        return time.perf_counter() - begun

    def _launched(self, output: Path) -> "subprocess.Popen[bytes]":
        with output.open("ab") as said:
            how = Spawn(
                death_signal=signal.SIGKILL,
                environment=os.environ | self.environ,
                folder=self.folder,
                output=said,
            )
            return spawn(self.words, how)

    async def stop(self) -> None:
        """End it; by force, with all it started, when it does not listen."""
        if self.process is None:
            return
        tell(self.process, signal.SIGTERM)
        try:
            await asyncio.to_thread(self.process.wait, _ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            kill_group(self.process)
            self.process.wait()
        self.process = None

    @property
    def pid(self) -> int:
        """Its id while it runs."""
        assert self.process
        return self.process.pid


async def _answers(client: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with client.get(url) as answer:
            return answer.ok
    except (aiohttp.ClientError, OSError):
        return False


async def done(*words: str | Path, folder: Path, **environ: str) -> str:
    """Run a program to its end and return what it said; raise NotStarted when it fails."""
    told = await asyncio.to_thread(
        subprocess.run,
        list(map(str, words)),
        cwd=folder,
        env=os.environ | environ,
        check=False,
        capture_output=True,
        text=True,
    )
    if told.returncode:
        raise NotStarted(f"{words[0]}: {told.stderr[-500:].strip()}")
    return str(told.stdout).strip()
