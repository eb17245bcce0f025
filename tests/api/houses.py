"""Processes that measure what a test says, and what the status of the house tells of them."""

import asyncio
from datetime import datetime
from typing import Any

import aiohttp

from api.parts import Parts
from ops.metrics import Listener, Metrics
from storage.jobs import queues
from storage.processes import Work, beat
from tests.people import Person, call

RING = "ostiary:status"

# After so long it is the next one's turn to measure.
_TURN_SECONDS = 4.6


class House:
    """Processes that measure whatever a test says they do."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.listeners: list[Listener] = []

    async def start(self, name: str) -> Metrics:
        """Announce a process that serves its metrics; one of the same name is replaced."""
        metrics = Metrics()
        listener = metrics.listen("127.0.0.1", 0)
        self.listeners.append(listener)
        key = f"{name}@host1/1"
        served = sorted(queues()) if name == "work.1" else ()
        await self._parts.redis.announce(key, f"127.0.0.1:{listener.port}", seconds=60)
        await beat(self._parts.redis, key, Work(queues=served))
        return metrics

    async def whole(self) -> dict[str, Metrics]:
        """Start one process of each kind that is needed."""
        found = {name: await self.start(f"{name}.1") for name in ("web", "relay", "clock", "work")}
        found["clock"].queue_depth.labels("emails", "pending").set(0)
        return found

    async def pass_turn(self) -> None:
        """Let the next look measure again, as if five seconds had gone by."""
        await asyncio.sleep(0.1)
        await self._parts.redis._client.delete(f"{RING}:turn")


async def told_to(api: aiohttp.ClientSession, who: Person) -> Any:
    """Look at the numbers; once more where Redis had no time for us on a busy machine."""
    for _ in range(3):
        told = await told_once(api, who)
        if told["redis"] == "ok" and told["measuredAt"]:
            break
        await asyncio.sleep(_TURN_SECONDS)
    return told


async def told_once(api: aiohttp.ClientSession, who: Person) -> Any:
    """Look at the numbers, whatever Redis does."""
    status, body = await call(api, who, "GET", "/admin/status")
    assert status == 200, body
    return body["data"]


def figure(told: Any, name: str) -> Any:
    """Return a figure by its name."""
    return next(figure for figure in told["figures"] if figure["name"] == name)


def now(told: Any, name: str) -> dict[str, float | None]:
    """Return the newest value of each line of a figure."""
    return {line["label"]: line["now"] for line in figure(told, name)["lines"]}


def seconds(told: Any) -> float:
    """Return how much time the samples span."""
    first, last = (datetime.fromisoformat(told["times"][at]) for at in (0, -1))
    return (last - first).total_seconds()
