"""The client of document 003 (section 7.4) as an application in a browser.

`client.ts.txt` and `auth.api.ts.txt` are the document's text, letter by letter. A browser runs them
as modules: Vite's `import.meta.env` is given, types are erased, nothing else is touched.
"""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from playwright.async_api import Page, Response, Route

_FOLDER = Path(__file__).parent
_TYPES = (
    (r"^import type .*\n", ""),
    (r"\((\w+): \w+\)", r"(\1)"),
    (r"\): Promise<[^=]*> =>", ") =>"),
)
INDEX = """<!doctype html><html lang="en"><title>The document's application</title>
<script type="importmap">{"imports": {"axios": "/app/axios"}}</script>
<script type="module">
import { authApi } from '/app/auth.api';
const bodyOf = (told) => 'config' in told ? told.data : told;
window.app = {
  ...authApi,
  keep(told) {
    localStorage.setItem('accessToken', told.accessToken);
    localStorage.setItem('refreshToken', told.refreshToken);
  },
  // A repeated request comes back from bare axios, as a whole response.
  async whoAmI() { return bodyOf(await authApi.getCurrentUser()).data; },
  async crowd(size) {
    const found = await Promise.allSettled(Array.from({ length: size }, () => app.whoAmI()));
    return found.map((item) => item.value?.email ?? String(item.reason));
  },
  // What became of it is still there after the client has left the page.
  begin(work) {
    const note = (outcome) => sessionStorage.setItem('outcome', outcome);
    work().then(() => note('fine'), (error) => note(error.response?.status ?? error.code));
  },
};
</script></html>"""


def modules(api_url: str) -> dict[str, str]:
    """Return the application's files by path, for an API below `api_url`."""
    environment = json.dumps({"VITE_API_URL": api_url})
    client = (_FOLDER / "client.ts.txt").read_text()
    auth_api = (_FOLDER / "auth.api.ts.txt").read_text()
    return {
        "/app/axios": (_FOLDER / "axios.min.js").read_text(),
        "/app/client": f"import.meta.env = {environment};\n{client}",
        "/app/auth.api": without_types(auth_api),
    }


def without_types(text: str) -> str:
    """Return TypeScript as JavaScript, as far as the document's text needs it."""
    for pattern, replacement in _TYPES:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return text


class Application:
    """The document's application, open in one tab of a browser."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.answers: Counter[tuple[str, int]] = Counter()
        self._origin = origin
        page.on("response", self._count)

    async def open(self) -> "Application":
        """Load the application from its origin."""
        await self.page.goto(f"{self._origin}/app/")
        await self.page.wait_for_function("window.app")
        return self

    async def run(self, script: str, argument: Any = None) -> Any:
        """Evaluate a function of `app` and one argument in the page."""
        return await self.page.evaluate(f"(argument) => ({script})(argument)", argument)

    async def kept(self) -> dict[str, str]:
        """Return what the browser keeps for the application."""
        return dict(await self.page.evaluate("({ ...localStorage })"))

    async def begin(self, script: str, argument: Any = None) -> None:
        """Begin what may end on another page."""
        await self.run(f"(argument) => app.begin(() => ({script})(argument))", argument)

    async def outcome(self) -> str:
        """Return what became of it: "fine", a status or axios's own code."""
        await self.page.wait_for_function("sessionStorage.outcome")
        return str(await self.page.evaluate("sessionStorage.outcome"))

    async def thrown_out(self) -> None:
        """Wait until the application has sent its person to the page of signing in."""
        await self.page.wait_for_url("**/login")

    @property
    def path(self) -> str:
        """Where the person is."""
        return self.page.url.removeprefix(self._origin)

    def _count(self, response: Response) -> None:
        self.answers[response.url.removeprefix(self._origin), response.status] += 1


async def open_on(page: Page, origin: str) -> Application:
    """Open the application on the API's own origin.

    The application's files are put there on the way; the server answers everything else.
    """
    files = modules(f"{origin}/api")

    async def give(route: Route) -> None:
        path = route.request.url.removeprefix(origin)
        kind = "text/javascript" if path in files else "text/html"
        await route.fulfill(body=files.get(path, INDEX), content_type=kind)

    for path in (*files, "/app/", "/login"):
        await page.route(f"{origin}{path}", give)
    return await Application(page, origin).open()
