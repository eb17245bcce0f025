"""The real thing under its real supervisor (`python -m ops up`), and one more web address."""

import asyncio
import math
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import aiohttp
import asyncpg
import psutil

from ops.child import Spawn, ended, kill_group, spawn, tell
from ops.settings.read import STACK_FILE, read_env_file
from tests.chaos.storm.admins import EMAIL, PASSWORD
from tests.factories import free_port
from tests.ops.stacks import ROOT, open_room
from tests.workers.processes import eventually

FORMATION = ("web=1", "relay=2", "clock=2", "emails=2")
_START_SECONDS, _STOP_SECONDS = 60, 40
# What a process of ours has in its command line and no other one has.
_MARKS = {
    "web": "api.serving.child",
    "relay": "workers.relay",
    "clock": "workers.clock",
    "worker": "--queues",
}
_SERVERS = {"redis": "valkey-server", "postgres": "postgres"}


@dataclass(slots=True)
class Installation:
    """A home, its supervisor, and the web process that we start again ourselves."""

    home: Path
    environment: dict[str, str]
    ports: tuple[int, int]
    _up: "subprocess.Popen[bytes] | None" = None
    _second: "subprocess.Popen[bytes] | None" = None
    _keeping: list["asyncio.Task[None]"] = field(default_factory=list)

    @property
    def urls(self) -> tuple[str, str]:
        """Where requests are answered."""
        one, other = (f"http://127.0.0.1:{port}" for port in self.ports)
        return one, other

    @property
    def log(self) -> Path:
        """What the processes said."""
        return self.home.parent / "storm.log"

    def complaints(self, count: int) -> list[str]:
        """Return the last lines of the log that speak of errors."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [line for line in lines if "rror" in line][-count:]

    async def start(self) -> None:
        """Start everything; return when both addresses answer."""
        self._up = self._spawn("ops", "up", *FORMATION, PORT=str(self.ports[0]), WEB_PROCESSES="2")
        await eventually(lambda: _answers(self.urls[0]), _START_SECONDS)
        self._keeping.append(asyncio.create_task(self._keep_second()))
        await eventually(lambda: _answers(self.urls[1]), _START_SECONDS)

    async def answers(self) -> None:
        """Return when both addresses answer: one may be starting again still."""
        for url in self.urls:
            await eventually(partial(_answers, url), _START_SECONDS)

    async def stop(self) -> None:
        """Stop everything as its operator does; kill what does not end."""
        for task in self._keeping:
            task.cancel()
        for process in filter(None, (self._second, self._up)):
            tell(process, signal.SIGTERM)
        for process in filter(None, (self._second, self._up)):
            with suppress(AssertionError):
                await eventually(partial(_is_gone, process), _STOP_SECONDS)
            kill_group(process)

    def pids(self, component: str) -> list[int]:
        """Return the living processes of a component: leaders, of the servers."""
        found = []
        for process in self._descendants():
            with suppress(psutil.Error):
                # Who was killed a moment ago is there until its parent has looked.
                is_dead = process.status() == psutil.STATUS_ZOMBIE
                if not is_dead and _component(process) == component:
                    found.append(process.pid)
        return found

    async def connect(self) -> asyncpg.Connection:
        """Look at the database as its owner."""
        kept = read_env_file(self.home / STACK_FILE)
        return await asyncpg.connect(kept["MIGRATION_DATABASE_URL"], timeout=5)

    async def verify_audit(self) -> str:
        """Let the command verify the chain; return what it says."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "storage", "audit", "verify"),
            env=self.environment,
            cwd=self.home.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return said.decode(errors="replace").strip().rpartition("\n")[2]

    def _descendants(self) -> list[psutil.Process]:
        found: list[psutil.Process] = []
        for process in filter(None, (self._up, self._second)):
            with suppress(psutil.Error):
                leader = psutil.Process(process.pid)
                found += [leader, *leader.children(recursive=True)]
        return found

    async def _keep_second(self) -> None:
        """Keep the other address alive, as a supervisor of its own would."""
        port = str(self.ports[1])
        while True:
            self._second = self._spawn("api", PORT=port, WEB_PROCESSES="1")
            await eventually(partial(_is_gone, self._second), math.inf)
            await asyncio.sleep(0.3)

    def _spawn(self, *arguments: str, **settings: str) -> "subprocess.Popen[bytes]":
        output = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        how = Spawn(
            death_signal=signal.SIGTERM,
            environment=self.environment | settings,
            folder=self.home.parent,  # where no .env lies
            output=output,
        )
        try:
            return spawn([sys.executable, "-m", *arguments], how)
        finally:
            os.close(output)


@asynccontextmanager
async def installed(smtp_url: str) -> AsyncIterator[Installation]:
    """Run an installation in a folder of its own."""
    ports = (free_port(), free_port())
    with open_room() as folder:
        home = folder / "home"
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
            "OSTIARY_HOME": str(home),
            "PUBLIC_URL": f"http://localhost:{ports[0]}",  # one issuer, whatever the port
            "ADMIN_EMAIL": EMAIL,
            "ADMIN_PASSWORD": PASSWORD,
            "SMTP_URL": smtp_url,
            "REQUIRE_VERIFIED_EMAIL": "off",
            "RATE_LIMIT_ANONYMOUS": "off",
            "RATE_LIMIT_AUTHENTICATED": "off",
            "RATE_LIMIT_AUTH_FAILURES": "off",
            "LOG_FORMAT": "json",
        }
        installation = Installation(home, environment, ports)
        try:
            await installation.start()
            yield installation
        finally:
            await installation.stop()


def _component(process: psutil.Process) -> str:
    name = process.name()
    for component, program in _SERVERS.items():
        if name == program:
            # A backend's parent is a postgres too, a postmaster's is not.
            return component if process.parent().name() != name else "backend"
    words = " ".join(process.cmdline()).split()  # of a forked one it is one word
    for component, mark in _MARKS.items():
        if mark in words:
            return component
    return "master" if words[1:] == ["-m", "api"] else ""


async def _is_gone(process: "subprocess.Popen[bytes]") -> bool:
    return ended(process)


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.request("GET", f"{url}/health/ready") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
