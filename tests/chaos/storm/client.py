"""A client that writes down every request before it leaves, and how it ended."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp

from tests.chaos.storm.ledger import Attempt, Deed, Ending, Ledger

_PAUSE = 0.25
_SECONDS = 5.0
# One request in so many is given up at once by its client: a phone that lost its network.
_GIVEN_UP = 12
_IN_FLIGHT = "CONFLICT"


class Doubtful(Exception):  # noqa: N818 - read as a sentence where it is caught
    """Nobody knows how a deed ended; whoever did it does nothing more."""


class Refused(Exception):  # noqa: N818 - read as a sentence where it is caught
    """The service refused what it has no reason to refuse."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    data: Any
    etag: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request; `once` is its Idempotency-Key, `seen` the ETag of what is to be changed."""

    method: str
    path: str
    body: dict[str, Any] | None = None
    token: str = ""
    once: str = ""
    seen: str = ""

    def headers(self, request_id: str) -> dict[str, str]:
        """Return what is sent along."""
        given = {
            "Authorization": f"Bearer {self.token}" if self.token else "",
            "Idempotency-Key": self.once,
            "If-Match": self.seen,
            "X-Request-Id": request_id,
        }
        return {name: value for name, value in given.items() if value}


class Client:
    """Speaks to any of the web addresses, and goes to another one when the answer is lost."""

    def __init__(
        self, urls: Sequence[str], ledger: Ledger, *, chance: random.Random, patience: float
    ) -> None:
        self.ledger = ledger
        self.chance = chance
        self._urls = urls
        self._patience = patience
        # A connection used again is one that aiohttp repeats a PUT on, unasked.
        connector = aiohttp.TCPConnector(force_close=True)
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar()
        )

    async def close(self) -> None:
        """Give the connections back."""
        await self._session.close()

    async def does(self, deed: Deed, ask: Ask, *, also: tuple[int, ...] = ()) -> Answer:
        """Ask until there is an answer that tells; for what may be asked for again.

        Raises Doubtful when patience ends before, Refused for any status that is neither a success
        nor one of `also`.
        """
        self.ledger.begin(deed)
        deadline = time.monotonic() + self._patience
        while True:
            hasty = self.chance.randrange(_GIVEN_UP) == 0
            seconds = self.chance.uniform(0.01, 0.1) if hasty else _SECONDS
            answer = await self._attempt(deed, ask, seconds)
            if answer and not _is_in_flight(answer):
                return self._told(deed, answer, also)
            if time.monotonic() > deadline:
                raise Doubtful(deed.what)
            await asyncio.sleep(_PAUSE)

    async def does_once(self, deed: Deed, ask: Ask, *, also: tuple[int, ...] = ()) -> Answer:
        """Ask once: asked again, it would be another deed. Raises as `does`."""
        self.ledger.begin(deed)
        answer = await self._attempt(deed, ask)
        if answer is None:
            raise Doubtful(deed.what)
        return self._told(deed, answer, also)

    async def looks(self, path: str, token: str) -> Answer:
        """Read something, which leaves no trace in the ledger."""
        deed = Deed("look", path)
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline:
            answer = await self._attempt(deed, Ask(method="GET", path=path, token=token))
            if answer:
                return self._told(deed, answer, ())
            await asyncio.sleep(_PAUSE)
        raise Doubtful(path)

    def _told(self, deed: Deed, answer: Answer, also: tuple[int, ...]) -> Answer:
        if answer.status < HTTPStatus.BAD_REQUEST:
            deed.acknowledged = True
        elif answer.status not in also:
            ids = ", ".join(deed.request_ids)
            fault = f"{deed.what} of {deed.whose}: {answer.status} {answer.code} ({ids})"
            self.ledger.faults.append(fault)
            raise Refused(fault)
        return answer

    async def _attempt(self, deed: Deed, ask: Ask, seconds: float = _SECONDS) -> Answer | None:
        url = self.chance.choice(self._urls)
        attempt = self.ledger.attempt(deed, url)
        try:
            async with asyncio.timeout(seconds):
                answer = await self._asked(url, ask, attempt)
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            attempt.answer = type(error).__name__
            return None
        finally:
            attempt.ended = time.monotonic()
        attempt.answer = f"{answer.status} {answer.code}".strip()
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            if answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
                self.ledger.faults.append(f"{deed.what}: {attempt.answer} {attempt.request_id}")
            return None
        is_good = answer.status < HTTPStatus.BAD_REQUEST
        attempt.ending = Ending.ACKNOWLEDGED if is_good else Ending.REFUSED
        if is_good:
            self.ledger.successes.append((attempt.began, attempt.ended))
        return answer

    async def _asked(self, url: str, ask: Ask, attempt: Attempt) -> Answer:
        headers = ask.headers(attempt.request_id)
        path = f"{url}/api/v1{ask.path}"
        async with self._session.request(
            ask.method, path, json=ask.body, headers=headers
        ) as response:
            told = await response.json(content_type=None)
            code = "" if response.ok else str(told["error"]["code"])
            data = told.get("data") if response.ok else None
            return Answer(response.status, data, response.headers.get("ETag", ""), code)


def _is_in_flight(answer: Answer) -> bool:
    """Whether another request of the same deed holds its key; and what to wait for besides."""
    return (
        answer.status == HTTPStatus.CONFLICT and answer.code == _IN_FLIGHT
    ) or answer.status == HTTPStatus.TOO_MANY_REQUESTS
