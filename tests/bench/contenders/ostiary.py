"""Ostiary itself: `python -m api` with all of the product on, on its own PostgreSQL and Redis.

Limits are counted, and set so high that nothing is refused. Relay and workers do not run: letters
and audit events that requests promise stay in the outbox.
"""

import json
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import asyncpg

from ops.settings import load
from ops.stack import Stack
from ops.version import VERSION
from storage.migrate import Migrator
from storage.seed.run import Wish, seed
from tests.bench.asked import TOKEN, Load, Request
from tests.bench.contenders.contender import (
    JSON,
    KNOWN,
    SIGNED_IN,
    Contender,
    Crowd,
    Person,
    Place,
    new_address,
)
from tests.factories import OPS_TOKEN, PASSWORD, SECRET_KEYS
from tests.workers.processes import Running, eventually, starting

_BASE = "/api/v1"
_ADMIN = "admin@example.com"
_LIMITS = {
    "RATE_LIMIT_ANONYMOUS": "1000000/1m",
    "RATE_LIMIT_AUTHENTICATED": "1000000/1m",
    "RATE_LIMIT_PREMIUM": "1000000/1m",
    "RATE_LIMIT_REFRESH": "1000000/1m",
    "RATE_LIMIT_AUTH_FAILURES": "1000000/1m",
}
_LIVING = """
SELECT id::text, email FROM users
WHERE deleted_at IS NULL AND is_active AND email_verified AND email <> $1
ORDER BY md5(id::text) LIMIT $2
"""


class Ostiary(Contender):
    """What we are."""

    name = "Ostiary"
    hashing = "Argon2id, m=19456, t=2, p=1"
    takes_parameters = True

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._stack = Stack(place.room / "home")
        self._ending = ExitStack()
        self._web: Running | None = None
        self.environ: dict[str, str] = {}
        self.version = VERSION

    @property
    def servers(self) -> list[int]:
        """The master of the web processes."""
        return [self._web.process.pid] if self._web else []

    @property
    def roots(self) -> list[int]:
        """Web processes, PostgreSQL and Redis."""
        return [*self.servers, *self._stack.pids.values()]

    async def install(self) -> None:
        """Nothing to do: we are here."""

    async def seed(self, users: int) -> None:
        """Migrate, and seed by `python -m storage seed`'s own means; more people a second time."""
        if not self.environ:
            self.environ = self._opened()
            async with Migrator.connect(load(self.environ)) as migrator:
                await migrator.up()
                await migrator.grant(load(self.environ))
        wish = Wish(names=("people", "users"), users=users, password=PASSWORD)
        await seed(load(self.environ), wish, _quiet)
        async with AsyncExitStack() as stack:
            owner = await self.owner(stack)
            rows = await owner.fetch(_LIVING, _ADMIN, KNOWN)
        self.crowd = self.equals = Crowd([Person(id=row[0], email=row[1]) for row in rows])

    async def owner(self, stack: AsyncExitStack) -> Any:
        """Return a connection to the database as its owner, closed with the stack."""
        owner = await asyncpg.connect(self.environ["MIGRATION_DATABASE_URL"])
        stack.push_async_callback(owner.close)
        return owner

    async def start(self, *, processes: int = 1, equal: str = "") -> None:
        """Run so many web processes; what is equal is equal to ours."""
        start = self._ending.enter_context(starting(self.environ))
        settings = {"PORT": str(self.port), "WEB_PROCESSES": str(processes), **_LIMITS}
        self._web = web = await start("api", ready="answering", **settings)

        async def all_answer() -> bool:
            return sum(line["event"] == "answering" for line in web.events) == processes

        await eventually(all_answer, 20.0)

    async def stop(self) -> None:
        """End the web processes; PostgreSQL and Redis run on."""
        self._ending.close()
        self._web = None

    async def close(self) -> None:
        """End everything."""
        await self.stop()
        self._stack.stop()

    async def me(self) -> Load:
        """Ask who one is: from memory, which forgets within a second of any change."""
        people = self.crowd.people[:SIGNED_IN]
        return self._gets(*[("/auth/me", await self.headers(person)) for person in people])

    async def read(self) -> Load:
        """Read people as an administrator: each is read from PostgreSQL."""
        headers = await self.headers(_admin())
        return self._gets(*[(f"/users/{person.id}", headers) for person in self.crowd.some()])

    async def login(self) -> Load:
        """Sign in with e-mail address and password."""
        return self.load([_credentials(person) for person in self.crowd.some()])

    async def equal_login(self) -> Load:
        """Sign in as ever: the parameters are ours."""
        return await self.login()

    async def sign_up(self) -> Load:
        """Register."""

        def body() -> str:
            names = {"firstName": "Ada", "lastName": "Lovelace"}
            return json.dumps({"email": new_address(), "password": PASSWORD, **names})

        path = f"{_BASE}/auth/register"
        return self.load(
            [Request(method="POST", path=path, headers=JSON, body=body()) for _ in range(KNOWN)]
        )

    async def refresh(self, at_once: int) -> Load:
        """Rotate: written down and committed before the answer."""
        people = self.crowd.some(at_once)
        tokens = [(await self._signed_in(person))["refreshToken"] for person in people]
        body = json.dumps({"refreshToken": TOKEN})
        request = Request(method="POST", path=f"{_BASE}/auth/refresh", headers=JSON, body=body)
        return self.load([request], chain="refreshToken", tokens=tokens)

    async def people(self) -> Load:
        """List by cursor, which does not count."""
        return self._gets(("/users?limit=30&cursor=", await self.headers(_admin())))

    async def counted(self) -> Load:
        """List by page, which counts: exactly up to 10,000."""
        return self._gets(("/users?limit=30&page=1", await self.headers(_admin())))

    def _gets(self, *asked: tuple[str, dict[str, str]]) -> Load:
        return self.load(
            [Request(method="GET", path=_BASE + path, headers=headers) for path, headers in asked]
        )

    async def sign_in(self, person: Person) -> dict[str, str]:
        """Return the header with somebody's token."""
        return {"Authorization": f"Bearer {(await self._signed_in(person))['accessToken']}"}

    async def _signed_in(self, person: Person) -> dict[str, Any]:
        return dict((await self.asked(_credentials(person)))["data"])

    def _opened(self) -> dict[str, str]:
        addresses = self._stack.start()
        return {
            "OSTIARY_HOME": str(self.place.room / "home"),
            "DATABASE_URL": str(addresses.database_url),
            "WORKER_DATABASE_URL": str(addresses.worker_database_url),
            "MIGRATION_DATABASE_URL": str(addresses.migration_database_url),
            "REDIS_URL": str(addresses.redis_url),
            "SECRET_KEYS": SECRET_KEYS,
            "OPS_TOKEN": OPS_TOKEN,
            "LOG_FORMAT": "json",
        }


def _admin() -> Person:
    return Person(id="", email=_ADMIN)


def _credentials(person: Person) -> Request:
    body = json.dumps({"email": person.email, "password": PASSWORD})
    return Request(method="POST", path=f"{_BASE}/auth/login", headers=JSON, body=body)


def _quiet(_what: str, _done: int, _total: int) -> None:
    """Say nothing: seeding is not what is measured."""
