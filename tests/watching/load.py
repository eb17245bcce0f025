"""A small load that touches everything there is to see: people, mistakes, an administrator."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from tests.chaos.pair import elsewhere
from tests.factories import PASSWORD, bearer, new_user
from tests.watching.house import ADMIN

_AUTH = "/auth"
_PAUSE = 0.3
# What an administrator looks at.
_LISTS = (
    "/users?search=ada",
    "/teams",
    "/content",
    "/roles",
    "/admin/jobs",
    "/admin/queues",
    "/admin/tasks",
    "/admin/stats",
    "/audit",
)


class Load:
    """One client that does one thing after the other; what fails meanwhile is no matter."""

    def __init__(self, client: aiohttp.ClientSession) -> None:
        self._client = client
        self._admin: dict[str, Any] = {}
        self._person: dict[str, Any] = {}
        self._lists = itertools.cycle(_LISTS)

    async def begin(self) -> None:
        """Let the administrator sign in, and somebody register."""
        self._admin = await self._data("POST", f"{_AUTH}/login", body=_credentials(ADMIN))
        await self.reuse_a_token()
        await self.register()

    async def run(self) -> None:
        """Go on until cancelled."""
        steps: tuple[Callable[[], Awaitable[Any]], ...] = (
            self._look,
            self._administer_something,
            self._refresh,
            self._administer_something,
            self._mistake,
            self.sign_in,
            self._administer_something,
            self._forget,
            self.register,
        )
        for step in itertools.cycle(steps):
            await step()
            await asyncio.sleep(_PAUSE)

    async def register(self) -> None:
        """Register somebody, who is the one that does things from now on."""
        told = await self._data("POST", f"{_AUTH}/register", body=new_user())
        self._person = told or self._person

    async def sign_in(self) -> None:
        """Sign in with the right password, from where nobody called yet."""
        await self._sign_in_elsewhere(self._email)

    async def reuse_a_token(self) -> None:
        """Refresh twice, then present the first token again, as a thief does who comes late."""
        await self.register()
        stolen = {"refreshToken": self._person["refreshToken"]}
        await self._refresh()
        await self._refresh()
        await self._data("POST", f"{_AUTH}/refresh", body=stolen)

    async def guess(self, number: int) -> None:
        """Try a password at an account nobody tried, from an address nobody called from."""
        await self._sign_in_elsewhere(f"nobody{number}@example.com")

    async def administer(self, path: str, body: Any, *, method: str = "POST") -> None:
        """Do something as the administrator; it has to succeed."""
        assert await self._data(method, path, body=body, headers=bearer(self._admin)), path

    @property
    def person_id(self) -> str:
        """Who does things."""
        return str(self._person["user"]["id"])

    @property
    def _email(self) -> str:
        return str(self._person["user"]["email"])

    async def _sign_in_elsewhere(self, email: str) -> None:
        headers = {"X-Forwarded-For": elsewhere()}
        await self._data("POST", f"{_AUTH}/login", body=_credentials(email), headers=headers)

    async def _look(self) -> None:
        await self._data("GET", f"{_AUTH}/me", headers=bearer(self._person))
        await self._data("GET", f"{_AUTH}/sessions", headers=bearer(self._person))

    async def _administer_something(self) -> None:
        await self._data("GET", next(self._lists), headers=bearer(self._admin))

    async def _refresh(self) -> None:
        token = {"refreshToken": self._person["refreshToken"]}
        self._person |= await self._data("POST", f"{_AUTH}/refresh", body=token)

    async def _mistake(self) -> None:
        """Ask for what is not there, without a token, in words that nobody understands."""
        await self._data("GET", "/nothing/here")
        await self._data("GET", f"{_AUTH}/me")
        await self._data("POST", f"{_AUTH}/login", body={"email": "nobody"})
        wrong = _credentials(self._email) | {"password": "Wrong-Horse-9"}
        await self._data("POST", f"{_AUTH}/login", body=wrong)

    async def _forget(self) -> None:
        await self._data("POST", f"{_AUTH}/forgot-password", body={"email": self._email})

    async def _data(
        self, method: str, path: str, *, body: Any = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Return the data of a good answer, else nothing."""
        url = f"/api/v1{path}"
        try:
            async with self._client.request(method, url, json=body, headers=headers) as answer:
                told = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError):
            return {}
        data = told.get("data") if answer.ok else None
        return data if isinstance(data, dict) else {}


def _credentials(email: str) -> dict[str, str]:
    return {"email": email, "password": PASSWORD}
