"""fastapi-users on FastAPI and uvicorn, as its documentation has it (see apps/)."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

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
from tests.bench.contenders.installing import from_pypi
from tests.bench.contenders.served import OnPostgres
from tests.bench.machine import ARGON2
from tests.factories import PASSWORD

_APP = Path(__file__).with_name("apps") / "fastapi_users_app.py"
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_COLUMNS = ("id", "email", "hashed_password", "is_active", "is_superuser", "is_verified")
_PACKAGES = ("fastapi-users[sqlalchemy]>=15,<16", "asyncpg", "uvicorn[standard]")


class FastapiUsers(OnPostgres):
    """fastapi-users 15, SQLAlchemy with asyncpg, JWT."""

    name = "fastapi-users"
    hashing = "Argon2id, m=65536, t=3, p=4"
    takes_parameters = True

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._programs = Path()
        self._root = Person(id="", email="")

    async def install(self) -> None:
        """From PyPI, into an environment of its own."""
        self._programs = await from_pypi(self.place.kept, *_PACKAGES)
        told = "import importlib.metadata as m; print(m.version('fastapi-users'))"
        python = self._programs / "python"
        self.version = await done(python, "-c", told, folder=self.place.kept)

    async def seed(self, users: int) -> None:
        """Make its tables and copy the people into them; the first is superuser."""
        self.open_database()
        await self._app("migrate")
        default = await self._app("hash", PASSWORD)
        memory, passes, lanes = ARGON2
        equal = PasswordHasher(memory_cost=memory, time_cost=passes, parallelism=lanes)
        same = equal.hash(PASSWORD)
        people = [
            Person(id=str(UUID(int=(n << 80) | n)), email=f"person{n}@example.com")
            for n in range(1, users + 1)
        ]
        self._root, rest = people[0], people[1:]
        few = rest[: min(KNOWN, users // 4)]
        self.equals, self.crowd = Crowd(few), Crowd(rest[len(few) :: max(1, users // KNOWN)])
        rows = (
            (UUID(person.id), person.email, hashed, True, person is self._root, True)
            for hashed, part in ((same, few), (default, [self._root, *rest[len(few) :]]))
            for person in part
        )
        async with self.owning() as owner:
            await owner.copy_records_to_table("user", records=rows, columns=_COLUMNS)
            await owner.execute("VACUUM (ANALYZE)")

    async def start(self, *, processes: int = 1, equal: str = "") -> None:
        """Serve without an access log, which is uvicorn's default and would cost it half."""
        words = [str(self._programs / "uvicorn"), "--app-dir", str(_APP.parent)]
        words += ["--port", str(self.port), "--log-level", "warning"]
        words += ["--workers", str(processes), "fastapi_users_app:app"]
        await self.serve(words, "/openapi.json", **self._environ(), ARGON2=equal)

    async def me(self) -> Load:
        """Ask who one is: the token is verified, the user read."""
        people = self.crowd.people[:SIGNED_IN]
        return self._gets(*[("/users/me", await self.headers(person)) for person in people])

    async def read(self) -> Load:
        """Read people as the superuser."""
        headers = await self.headers(self._root)
        return self._gets(*[(f"/users/{person.id}", headers) for person in self.crowd.some()])

    async def login(self) -> Load:
        """Sign in with the form of OAuth 2."""
        return self.load([_credentials(person) for person in self.crowd.some()])

    async def equal_login(self) -> Load:
        """Sign in those whose hash has our parameters."""
        return self.load([_credentials(person) for person in self.equals.some()])

    async def sign_up(self) -> Load:
        """Register."""
        bodies = (json.dumps({"email": new_address(), "password": PASSWORD}) for _ in range(KNOWN))
        return self.load(
            [Request(method="POST", path="/auth/register", headers=JSON, body=b) for b in bodies]
        )

    async def people(self) -> Load:
        """List, by the endpoint of the app."""
        return self._gets(("/users/all", await self.headers(self._root)))

    async def counted(self) -> Load:
        """List and count, by the endpoint of the app."""
        return self._gets(("/users/counted", await self.headers(self._root)))

    def _gets(self, *asked: tuple[str, dict[str, str]]) -> Load:
        return self.load([Request(method="GET", path=path, headers=how) for path, how in asked])

    async def sign_in(self, person: Person) -> dict[str, str]:
        """Return the header with somebody's token."""
        answer = await self.asked(_credentials(person))
        return {"Authorization": f"Bearer {answer['access_token']}"}

    def _environ(self) -> dict[str, str]:
        url = self.database_url.replace("postgresql://", "postgresql+asyncpg://", 1)
        return {"DATABASE_URL": url, "SECRET": "secret-of-the-bench-and-nothing-else"}

    async def _app(self, *words: str) -> str:
        python = self._programs / "python"
        environ: dict[str, Any] = self._environ()
        return await done(python, _APP, *words, folder=self.place.room, **environ)


def _credentials(person: Person) -> Request:
    body = urlencode({"username": person.email, "password": PASSWORD})
    return Request(method="POST", path="/auth/jwt/login", headers=_FORM, body=body)
