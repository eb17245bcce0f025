"""What browser tests share: one Chromium for the session, one empty profile a test."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright

from tests.browser.letters import link, write_promised
from workers.toolbox import Tools

OpenPage = Callable[..., Awaitable[Page]]
OpenPlain = Callable[[str], Awaitable[Page]]
LetterLink = Callable[[str], Awaitable[str]]

PHONE = {"width": 320, "height": 640}

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# A browser under test talks to the server under test and to nobody else.
_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Find the machine's Chromium."""
    for name in _NAMES:
        if path := shutil.which(name):
            return path
    pytest.skip("Chromium is not installed (apt install chromium): browser tests not run")


@pytest.fixture(scope="session")
async def browser(chromium_path: str) -> AsyncIterator[Browser]:
    """Run one Chromium for the whole session."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path, args=[*_OPTIONS])
        yield browser
        await browser.close()


@pytest.fixture
async def open_page(browser: Browser) -> AsyncIterator[OpenPage]:
    """Open pages, each in a fresh profile with options of its own."""
    contexts = []

    async def run(**options: object) -> Page:
        contexts.append(await browser.new_context(**options))
        page = await contexts[-1].new_page()
        page.set_default_timeout(10_000)
        return page

    yield run
    for context in contexts:
        await context.close()


@pytest.fixture
def origin(api: aiohttp.ClientSession) -> str:
    """Return the origin of the server, over an empty database."""
    return str(api._base_url).rstrip("/")


@pytest.fixture
def overheard() -> list[str]:
    """Collect what pages ask of other origins, and what their own policy stops."""
    return []


@pytest.fixture
def open_plain(origin: str, overheard: list[str], open_page: OpenPage) -> OpenPlain:
    """Open a page of the server on a phone that runs no script."""

    def note_request(request: Request) -> None:
        if not request.url.startswith(f"{origin}/"):
            overheard.append(request.url)

    def note_message(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            overheard.append(message.text)

    async def run(path: str) -> Page:
        page = await open_page(java_script_enabled=False, viewport=PHONE, base_url=origin)
        page.on("request", note_request)
        page.on("console", note_message)
        await page.goto(path)
        return page

    return run


@pytest.fixture
def letter_link(tools: Tools, tmp_path: Path, owner: Any) -> LetterLink:
    """Write the letters that are promised; return path and query of their link to a page."""

    async def run(path: str) -> str:
        await write_promised(tools, owner)
        return link(tmp_path / "mail", path)

    return run
