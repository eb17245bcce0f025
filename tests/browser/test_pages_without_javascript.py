"""Pages for people work without JavaScript, on a small screen, by keyboard, in light and dark."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from api.app import all_endpoints
from api.setup.command import ensure_admin
from ops.settings import load
from tests.browser.accessibility import findings, stops, walk
from tests.browser.conftest import LetterLink, OpenPlain
from tests.conftest import MakeSettings
from tests.factories import PASSWORD, register

_SETTINGS = load({}, directory=Path("/nonexistent"), strict=False)
# A page that is added is looked at here without being named.
PAGES = [
    *(
        endpoint.path
        for endpoint in all_endpoints(_SETTINGS)
        if endpoint.tag == "Pages" and endpoint.method == "GET" and endpoint.path.count("/") == 1
    ),
    "/dev/mailbox",
    "/api/docs/errors",
]
TOKEN = "t" * 47  # as long as they are


@pytest.fixture
async def setup_link(api: aiohttp.ClientSession, make_settings: MakeSettings) -> str:
    """Make a set-up link as the command does; return its path and query."""
    link = urlsplit((await ensure_admin(make_settings()))["link"])
    return f"{link.path}?{link.query}"


def test_the_pages_are_known() -> None:
    letters = {"/verify-email", "/reset-password", "/confirm-email", "/undo-email-change"}

    assert {"/", "/setup", "/forgot-password"} | letters <= set(PAGES)


async def test_pages_can_be_read_and_reached_by_everybody_and_ask_nobody_else(
    open_plain: OpenPlain, overheard: list[str]
) -> None:
    page, wrong = await open_plain("/"), {}
    for path in PAGES:
        for query in ("", f"?token={TOKEN}"):
            await page.goto(path + query)
            expected = await stops(page)
            stopped = await walk(page, len(expected))
            wrong[path + query] = await findings(page) + [stopped] * (stopped != expected)

    assert {path: found for path, found in wrong.items() if found} == {}
    assert overheard == []


async def test_the_first_administrator_is_made_by_keyboard_alone(
    open_plain: OpenPlain, setup_link: str, owner: Any
) -> None:
    page = await open_plain(setup_link)
    for text in ("Grace", "Hopper", "grace@example.com", "weak"):
        await page.keyboard.press("Tab")
        await page.keyboard.type(text)
    await page.keyboard.press("Enter")
    await page.wait_for_selector("[aria-invalid=true]")

    assert await findings(page) == []
    assert await page.get_by_label("First name").input_value() == "Grace"
    assert await page.get_by_label("Password").input_value() == ""
    assert await owner.fetchval("SELECT count(*) FROM users") == 0

    await page.get_by_label("Password").focus()
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("h1:has-text('All set')")
    assert await owner.fetchval("SELECT email FROM users") == "grace@example.com"


async def test_the_mistakes_of_a_form_are_readable_and_tied_to_their_fields(
    open_plain: OpenPlain, setup_link: str
) -> None:
    page = await open_plain(setup_link)
    for label in ("First name", "Last name"):
        await page.get_by_label(label).fill("x")
    await page.get_by_label("Password").fill(PASSWORD)
    # Good for a browser, too short a domain for us.
    await page.get_by_label("E-mail address").fill("grace@example")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("[aria-invalid=true]")

    assert await findings(page) == []
    mistaken = await page.locator("[aria-invalid=true]").all()
    assert len(mistaken) == 3
    for field in mistaken:
        described = (await field.get_attribute("aria-describedby") or "").split()
        assert f"{await field.get_attribute('name')}-mistake" in described


async def test_the_link_of_the_letter_confirms_the_address_by_keyboard_alone(
    open_plain: OpenPlain, api: aiohttp.ClientSession, letter_link: LetterLink, owner: Any
) -> None:
    await register(api)
    page = await open_plain(await letter_link("/verify-email"))
    assert await owner.fetchval("SELECT email_verified FROM users") is False

    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("h1:has-text('Address confirmed')")

    assert await findings(page) == []
    assert await owner.fetchval("SELECT email_verified FROM users") is True
