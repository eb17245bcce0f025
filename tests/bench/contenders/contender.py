"""One of those that are compared: installed, filled with people, started, asked, stopped."""

import random
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench.asked import Load, Request
from tests.factories import free_port

JSON = {"Content-Type": "application/json"}
# How many people sign in to be asked about, and how many are known by address.
SIGNED_IN = 16
KNOWN = 2_000
SOME = 500
# Shorter than any token lives.
_REMEMBERED = 300.0


class NotHere(Exception):  # noqa: N818 - read as a sentence where it is caught
    """A contender cannot be installed on this machine; the text says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody in a contender's database, with PASSWORD."""

    id: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a contender lives: `kept` stays between runs, `room` goes."""

    kept: Path
    room: Path


@dataclass(slots=True)
class Crowd:
    """People a contender is asked about, drawn anew each time."""

    people: Sequence[Person] = ()
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    def some(self, number: int = SOME) -> list[Person]:
        """Draw some, nobody twice."""
        return self.chance.sample(self.people, min(number, len(self.people)))


_newcomers = count(1)


def new_address() -> str:
    """Return an address that nobody ever had."""
    return f"new{next(_newcomers)}.{secrets.token_hex(4)}@example.com"


class Contender(ABC):
    """The operations return what is to be asked, or None when it has no such thing."""

    name: str
    # The default hash of passwords, with its parameters.
    hashing: str
    # Whether it can be told to hash with our parameters.
    takes_parameters: bool = False

    def __init__(self, place: Place) -> None:
        self.place = place
        self.port = free_port()
        self.version = ""
        self.crowd = Crowd()
        # Those whose hash has our parameters.
        self.equals = Crowd()
        self._remembered: dict[str, tuple[float, dict[str, str]]] = {}

    @abstractmethod
    async def install(self) -> None:
        """Install what is missing and find out the version; raise NotHere."""

    @abstractmethod
    async def seed(self, users: int) -> None:
        """Fill the database with so many people; nothing runs meanwhile."""

    @abstractmethod
    async def start(self, *, processes: int = 1, equal: str = "") -> None:
        """Run until it answers; `equal` has Argon2id's parameters in place of the default hash."""

    @abstractmethod
    async def stop(self) -> None:
        """End what `start` began."""

    @property
    @abstractmethod
    def servers(self) -> list[int]:
        """The processes that answer, without databases."""

    @property
    def roots(self) -> list[int]:
        """Every process whose CPU time counts."""
        return self.servers

    async def close(self) -> None:
        """End everything, databases too."""
        await self.stop()

    async def me(self) -> Load | None:
        """Ask who one is."""
        return None

    async def read(self) -> Load | None:
        """Read people nobody just read, as an administrator."""
        return None

    async def login(self) -> Load | None:
        """Sign in, somebody else each time."""
        return None

    async def equal_login(self) -> Load | None:
        """Sign in those whose hash has our parameters."""
        return None

    async def sign_up(self) -> Load | None:
        """Register strangers."""
        return None

    async def refresh(self, at_once: int) -> Load | None:
        """Go on with a session: with one of its own on every connection."""
        return None

    async def people(self) -> Load | None:
        """List thirty people."""
        return None

    async def counted(self) -> Load | None:
        """List thirty people, and tell how many there are."""
        return None

    async def sign_in(self, person: Person) -> dict[str, str]:
        """Return the headers that carry somebody's token; NotImplementedError where none do."""
        raise NotImplementedError

    async def headers(self, person: Person) -> dict[str, str]:
        """Return the same, of a sign-in of the last minutes: hashing is another row's matter."""
        known = self._remembered.get(person.email)
        if known is None or time.monotonic() - known[0] > _REMEMBERED:
            known = self._remembered[person.email] = (
                time.monotonic(),
                await self.sign_in(person),
            )
        return known[1]

    def load(self, requests: Sequence[Request], **chain: Any) -> Load:
        """Return the requests as a load on this contender."""
        return Load(port=self.port, requests=requests, **chain)

    async def asked(self, request: Request) -> Any:
        """Ask once; return the answer's JSON; RuntimeError unless it is a success."""
        url = f"http://127.0.0.1:{self.port}{request.path}"
        body = request.body.encode() or None
        async with (
            aiohttp.ClientSession() as client,
            client.request(request.method, url, data=body, headers=request.headers) as answer,
        ):
            if not answer.ok:
                raise RuntimeError(f"{self.name}: {answer.status} {await answer.text()}")
            return await answer.json()
