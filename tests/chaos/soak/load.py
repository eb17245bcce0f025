"""A steady load of people who register once, then sign in, look, refresh, forget and leave."""

import asyncio
import random
import time
from collections import Counter
from typing import Any

import aiohttp

from tests.factories import PASSWORD, bearer, register

_AUTH = "/api/v1/auth"
_LATEST = 500


class Load:
    """So many people, each doing something at random, at so many requests a second in all."""

    def __init__(self, client: aiohttp.ClientSession, *, people: int, rate: float) -> None:
        self.statuses: Counter[int] = Counter()
        self.waits: list[float] = []
        self._client = client
        self._people = people
        self._pause = people / rate

    async def run(self, seconds: float) -> None:
        """Keep it up for so long."""
        until = time.monotonic() + seconds
        people = [await register(self._client) for _ in range(self._people)]
        await asyncio.gather(*(self._live(person, until) for person in people))

    async def _live(self, person: dict[str, Any], until: float) -> None:
        doings = (self._look, self._look, self._come_and_go, self._refresh, self._mistype)
        rare = (self._forget,)
        while time.monotonic() < until:
            await asyncio.sleep(random.uniform(0, 2 * self._pause))
            await random.choice(rare if random.random() < 0.05 else doings)(person)

    async def _ask(self, method: str, path: str, **how: Any) -> Any:
        started = time.monotonic()
        async with self._client.request(method, path, **how) as answer:
            told = await answer.json() if answer.status < 300 and answer.content_length else None
        self.waits = [*self.waits[1 - _LATEST :], time.monotonic() - started]
        self.statuses[answer.status] += 1
        return told

    async def _look(self, person: dict[str, Any]) -> None:
        await self._ask("GET", f"{_AUTH}/me", headers=bearer(person))

    async def _come_and_go(self, person: dict[str, Any]) -> None:
        credentials = {"email": person["user"]["email"], "password": PASSWORD}
        if told := await self._ask("POST", f"{_AUTH}/login", json=credentials):
            await self._ask("POST", f"{_AUTH}/logout", headers=bearer(told["data"]))

    async def _refresh(self, person: dict[str, Any]) -> None:
        token = {"refreshToken": person["refreshToken"]}
        if told := await self._ask("POST", f"{_AUTH}/refresh", json=token):
            person.update(told["data"])

    async def _mistype(self, person: dict[str, Any]) -> None:
        credentials = {"email": f"x{person['user']['email']}", "password": "Wrong-Horse-9"}
        await self._ask("POST", f"{_AUTH}/login", json=credentials)

    async def _forget(self, person: dict[str, Any]) -> None:
        email = {"email": person["user"]["email"]}
        await self._ask("POST", f"{_AUTH}/forgot-password", json=email)
