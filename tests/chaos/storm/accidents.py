"""What befalls an installation: processes killed and frozen, Redis emptied and its files gone."""

import asyncio
import os
import random
import shutil
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import redis.asyncio as redis

from ops.settings.read import STACK_FILE, read_env_file
from tests.chaos.storm.installation import Installation
from tests.chaos.storm.post import MoodySink
from tests.workers.processes import eventually

_APPEARS_SECONDS = 30
_LETTER_SECONDS = 3


@dataclass(frozen=True, slots=True)
class Accident:
    """What happened, to whom, and when it began and was over (monotonic seconds)."""

    what: str
    whom: str
    began: float
    over: float

    @property
    def is_kill(self) -> bool:
        """Whether a process ended without having been asked."""
        return self.what in {"killed", "quit", "wiped"}


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two accidents, and of a freeze: the least and the most."""

    gap: tuple[float, float]
    freeze: tuple[float, float]


@dataclass(slots=True)
class Storm:
    """Deals the accidents of a round in random order; remembers them all."""

    installation: Installation
    chance: random.Random
    pace: Pace
    post: MoodySink
    accidents: list[Accident] = field(default_factory=list)
    _freezes: set["asyncio.Task[None]"] = field(default_factory=set)

    async def rage(self) -> None:
        """Have one round of accidents: ten kills, four freezes, Redis emptied."""
        deck: list[Callable[[], Awaitable[None]]] = [
            *(lambda whom=whom: self._kill(whom) for whom in ("web", "master", "relay", "clock")),
            *(self._kill_worker for _ in range(2)),
            lambda: self._kill("redis"),
            lambda: self._kill("postgres"),
            self.chance.choice((self._quit_postgres, lambda: self._kill("backend"))),
            self._wipe_redis,
            self._flush_redis,
            lambda: self._freeze(self.chance.choice(("web", "worker"))),
            lambda: self._freeze(self.chance.choice(("relay", "clock"))),
            lambda: self._freeze("redis"),
            lambda: self._freeze("postgres"),
        ]
        self.chance.shuffle(deck)
        for strike in deck:
            await asyncio.sleep(self.chance.uniform(*self.pace.gap))
            await strike()

    async def pass_over(self) -> None:
        """Wait until nothing is frozen any more."""
        await asyncio.gather(*self._freezes)

    async def _kill(self, component: str) -> None:
        pid = await self._somebody(component)
        began = time.monotonic()
        _send(pid, signal.SIGKILL)
        self._note("killed", component, began)

    async def _kill_worker(self) -> None:
        """Kill one while a letter is on its way, if there is one soon."""

        async def on_its_way() -> bool:
            return self.post.in_hand > 0

        with suppress(AssertionError):
            await eventually(on_its_way, _LETTER_SECONDS)
        await self._kill("worker")

    async def _quit_postgres(self) -> None:
        pid = await self._somebody("postgres")
        began = time.monotonic()
        _send(pid, signal.SIGQUIT)
        self._note("quit", "postgres", began)

    async def _freeze(self, component: str) -> None:
        pid = await self._somebody(component)
        seconds = self.chance.uniform(*self.pace.freeze)
        task = asyncio.create_task(self._frozen(component, pid, seconds))
        self._freezes.add(task)
        task.add_done_callback(self._freezes.discard)

    async def _frozen(self, component: str, pid: int, seconds: float) -> None:
        """Freeze a process and its children: a postmaster does no work of its own."""
        stopped = _family(pid)
        began = time.monotonic()
        try:
            for one in stopped:
                _send(one, signal.SIGSTOP)
            await asyncio.sleep(seconds)
        finally:
            for one in stopped:
                _send(one, signal.SIGCONT)
        self._note("frozen", component, began)

    async def _flush_redis(self) -> None:
        """Empty Redis, if it answers at all just now."""
        began = time.monotonic()
        url = read_env_file(self.installation.home / STACK_FILE)["REDIS_URL"]
        client = redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
        with suppress(redis.RedisError, OSError):
            await client.flushall()
            self._note("flushed", "redis", began)
        with suppress(redis.RedisError, OSError):
            await client.aclose()

    async def _wipe_redis(self) -> None:
        """Take everything from Redis, its files too, and the process."""
        pid = await self._somebody("redis")
        began = time.monotonic()
        with suppress(psutil.Error):
            folder = Path(psutil.Process(pid).cwd())
            if (folder / "redis.conf").exists():
                shutil.rmtree(folder, ignore_errors=True)
        _send(pid, signal.SIGKILL)
        self._note("wiped", "redis", began)

    async def _somebody(self, component: str) -> int:
        """Choose a process of a component; wait for one when all of them are being restarted."""
        found: list[int] = []

        async def there() -> bool:
            found[:] = self.installation.pids(component)
            return bool(found)

        await eventually(there, _APPEARS_SECONDS)
        return self.chance.choice(found)

    def _note(self, what: str, whom: str, began: float) -> None:
        self.accidents.append(Accident(what, whom, began, time.monotonic()))


def _family(pid: int) -> list[int]:
    with suppress(psutil.Error):
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    return [pid]


def _send(pid: int, what: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, what)
