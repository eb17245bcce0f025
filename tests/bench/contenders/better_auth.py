"""Better Auth on node's own server, as its documentation has it (see apps/)."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from argon2 import PasswordHasher

from tests.bench.asked import Load, Request
from tests.bench.contenders.command import done
from tests.bench.contenders.contender import (
    JSON,
    KNOWN,
    SIGNED_IN,
    Crowd,
    Person,
    Place,
    new_address,
)
from tests.bench.contenders.installing import from_npm
from tests.bench.contenders.served import OnPostgres
from tests.bench.machine import ARGON2
from tests.factories import PASSWORD

_APP = Path(__file__).with_name("apps") / "better_auth_app.mjs"
_BASE = "/api/auth"
_PACKAGES = ("better-auth@1", "pg@8", "@node-rs/argon2@2")
_USERS = ("id", "name", "email", "emailVerified", "createdAt", "updatedAt", "role", "banned")
_ACCOUNTS = ("id", "accountId", "providerId", "userId", "password", "createdAt", "updatedAt")
_PROVIDER = "credential"
_HASH = 'SELECT password FROM account WHERE "userId" = $1'
_PROMOTE = """UPDATE "user" SET role = 'admin' WHERE id = $1"""


class BetterAuth(OnPostgres):
    """Better Auth 1, the pg pool, sessions in PostgreSQL, its admin plugin."""

    name = "Better Auth"
    hashing = "scrypt, N=16384, r=16, p=1"
    takes_parameters = True

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._root = Person(id="", email="root@example.com")

    async def install(self) -> None:
        """From npm."""
        folder = await from_npm(self.place.kept, *_PACKAGES)
        package = folder / "node_modules" / "better-auth" / "package.json"
        self.version = json.loads(package.read_text())["version"]

    async def seed(self, users: int) -> None:
        """Have it make its tables and one administrator; copy the others, with that one's hash."""
        self.open_database()
        await done("node", _APP, "migrate", folder=self.place.room, **self._environ())
        await self.start()
        made = await self.asked(_sign_up(self._root.email))
        await self.stop()
        memory, passes, lanes = ARGON2
        equal = PasswordHasher(memory_cost=memory, time_cost=passes, parallelism=lanes)
        people = [Person(id=f"p{n:031d}", email=f"person{n}@example.com") for n in range(users)]
        few = min(KNOWN, users // 4)
        self.equals, self.crowd = Crowd(people[:few]), Crowd(people[few :: max(1, users // KNOWN)])
        async with self.owning() as owner:
            await owner.execute(_PROMOTE, made["user"]["id"])
            default = await owner.fetchval(_HASH, made["user"]["id"])
            hashes = [equal.hash(PASSWORD)] * few + [default] * (users - few)
            await _copy(owner, people, hashes)

    async def start(self, *, processes: int = 1, equal: str = "") -> None:
        """Serve; limits and telemetry off."""
        how = self._environ() | {"PROCESSES": str(processes), "ARGON2": equal}
        await self.serve(["node", str(_APP)], f"{_BASE}/ok", **how)

    async def me(self) -> Load:
        """Ask who one is: session and user are read."""
        people = self.crowd.people[:SIGNED_IN]
        return self.load([await self._get("/get-session", person) for person in people])

    async def read(self) -> Load:
        """Read people as the administrator."""
        headers = await self.headers(self._root)
        path = f"{_BASE}/admin/get-user?id="
        return self.load(
            [
                Request(method="GET", path=path + person.id, headers=headers)
                for person in self.crowd.some()
            ]
        )

    async def login(self) -> Load:
        """Sign in with e-mail address and password."""
        return self.load([_credentials(person) for person in self.crowd.some()])

    async def equal_login(self) -> Load:
        """Sign in those whose hash has our parameters."""
        return self.load([_credentials(person) for person in self.equals.some()])

    async def sign_up(self) -> Load:
        """Register."""
        return self.load([_sign_up(new_address()) for _ in range(KNOWN)])

    async def counted(self) -> Load:
        """List as the administrator; it always counts."""
        return self.load([await self._get("/admin/list-users?limit=30", self._root)])

    async def _get(self, path: str, person: Person) -> Request:
        return Request(method="GET", path=_BASE + path, headers=await self.headers(person))

    async def sign_in(self, person: Person) -> dict[str, str]:
        """Return the header with somebody's token."""
        asked = _credentials(person)
        url = f"http://127.0.0.1:{self.port}{asked.path}"
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client,
            client.post(url, data=asked.body, headers=JSON) as answer,
        ):
            answer.raise_for_status()
            return {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}

    def _environ(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.database_url,
            "PACKAGES": str(self.place.kept),
            "PORT": str(self.port),
            "SECRET": "secret-of-the-bench-and-nothing-else",
        }


async def _copy(owner: Any, people: list[Person], hashes: list[str]) -> None:
    now = datetime.now(UTC)
    users = (
        (person.id, "Ada Lovelace", person.email, True, now, now, "user", False)
        for person in people
    )
    accounts = (
        (f"a{person.id[1:]}", person.id, _PROVIDER, person.id, hashed, now, now)
        for person, hashed in zip(people, hashes, strict=True)
    )
    await owner.copy_records_to_table("user", records=users, columns=_USERS)
    await owner.copy_records_to_table("account", records=accounts, columns=_ACCOUNTS)
    await owner.execute("VACUUM (ANALYZE)")


def _credentials(person: Person) -> Request:
    body = json.dumps({"email": person.email, "password": PASSWORD})
    return Request(method="POST", path=f"{_BASE}/sign-in/email", headers=JSON, body=body)


def _sign_up(email: str) -> Request:
    body = json.dumps({"email": email, "password": PASSWORD, "name": "Ada Lovelace"})
    return Request(method="POST", path=f"{_BASE}/sign-up/email", headers=JSON, body=body)
