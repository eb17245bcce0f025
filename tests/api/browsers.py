"""A browser as far as pages without scripts need one: forms, and cookies that are kept."""

import re
from http.cookies import SimpleCookie
from typing import Any

import aiohttp

from tests.factories import PASSWORD
from tests.people import Person

SIGN_IN = "/ops/sign-in"

Jar = dict[str, str]


class Browser:
    """Keeps cookies as a browser does, and follows nothing by itself."""

    def __init__(self, api: aiohttp.ClientSession) -> None:
        self._api = api
        self.jar: Jar = {}
        self.given: SimpleCookie = SimpleCookie()

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, str, Any]:
        """Return status, text and headers; what was set is kept, what was removed is gone."""
        headers = options.pop("headers", {})
        if self.jar:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        async with self._api.request(
            method, path, headers=headers, allow_redirects=False, **options
        ) as answer:
            self.given = SimpleCookie()
            for line in answer.headers.getall("Set-Cookie", []):
                self.given.load(line)
            for name, morsel in self.given.items():
                self.jar.pop(name, None)
                if morsel["max-age"] != "0":
                    self.jar[name] = morsel.value
            return answer.status, await answer.text(), answer.headers

    async def post(self, path: str, **form: str) -> tuple[int, str, Any]:
        """Send the form of a page, as that page gave it."""
        _, page, _ = await self.ask("GET", SIGN_IN)
        found = re.search(r'name="form" value="([^"]+)"', page)
        assert found
        return await self.ask("POST", path, data={"form": found[1], **form})

    async def sign_in(self, who: Person, password: str = PASSWORD) -> tuple[int, str, Any]:
        """Fill in the form as somebody."""
        return await self.post(SIGN_IN, email=who["user"]["email"], password=password)
