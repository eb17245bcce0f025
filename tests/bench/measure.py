"""Measures cases, all of them in turn, so that none has the caches to itself."""

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from api.paging import Queries
from ops.crypto import KeyRing
from storage.database import Database
from storage.pages import Page
from tests.bench.cases import Case

Ask = Callable[[Case], Awaitable[None]]

_PATH = "/api/v1/users"
CONTROL = "the shortest question"


@dataclass(slots=True)
class Figures:
    """What one case took, call by call, in milliseconds."""

    calls: list[float] = field(default_factory=list)

    @property
    def first(self) -> float:
        """The first call: nothing is prepared, little is in memory."""
        return self.calls[0]

    @property
    def hundredth(self) -> float:
        """The hundredth call of the same statement, or the last one."""
        return self.calls[min(99, len(self.calls) - 1)]

    def percentile(self, share: float) -> float:
        """Return what this share of the calls after the first did not exceed."""
        ordered = sorted(self.calls[1:] or self.calls)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def measured(
    cases: Sequence[Case],
    ask: Ask,
    rounds: int,
    progress: Callable[[int], None],
    *,
    control: Callable[[], Awaitable[object]],
) -> dict[str, Figures]:
    """Ask every case so often, in another order each time; return figures by name.

    After each, the control is asked, under CONTROL: the shortest question, so that its slowest
    answers tell what the machine takes of everybody.
    """
    found = {name: Figures() for name in (CONTROL, *(case.name for case in cases))}
    chance = random.Random(1)
    for number in range(rounds):
        progress(number)
        for case in chance.sample(cases, len(cases)):
            started = time.perf_counter()
            await ask(case)
            between = time.perf_counter()
            await control()
            found[case.name].calls.append((between - started) * 1_000)
            found[CONTROL].calls.append((time.perf_counter() - between) * 1_000)
    return found


def pinging(database: Database) -> Callable[[], Awaitable[None]]:
    """Ask PostgreSQL for nothing."""

    async def ask() -> None:
        async with database.reading() as storage:
            await storage.ping()

    return ask


def asking_health(client: aiohttp.ClientSession) -> Callable[[], Awaitable[bytes]]:
    """Ask a web process whether it lives."""

    async def ask() -> bytes:
        async with client.get("/health") as answer:
            return await answer.read()

    return ask


def of_repository(database: Database) -> Ask:
    """Ask the repository."""

    async def ask(case: Case) -> None:
        async with database.reading() as storage:
            await storage.users.page(case.window)

    return ask


def over_http(client: aiohttp.ClientSession, headers: dict[str, str], keys: KeyRing) -> Ask:
    """Ask a web process, over one connection."""
    queries = Queries(keys)

    async def ask(case: Case) -> None:
        query: dict[str, Any] = dict(case.query)
        if case.window.after:
            before: Page[Any] = Page(items=(), has_next=True, next=case.window.after)
            query["cursor"] = queries.pagination(_PATH, case.window, before)["nextCursor"]
        async with client.get(_PATH, params=query, headers=headers) as answer:
            body = await answer.read()
            assert answer.status == 200, (case.name, body[:500])

    return ask
