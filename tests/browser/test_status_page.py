"""The status page in a browser: signed in by keyboard, readable by everybody, drawn anew."""

from typing import Any

import aiohttp
import pytest
from playwright.async_api import ConsoleMessage, Page

from tests.browser.accessibility import findings, walk
from tests.browser.conftest import PHONE, OpenPage, OpenPlain
from tests.factories import PASSWORD
from tests.people import Person, admin


@pytest.fixture
async def boss(api: aiohttp.ClientSession, owner: Any) -> Person:
    """Register an administrator."""
    return await admin(api, owner)


async def sign_in(page: Page, who: Person) -> None:
    """Fill in the form by keyboard, until the status page is there."""
    await page.get_by_label("E-mail address").focus()
    await page.keyboard.type(who["user"]["email"])
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/ops/status")


async def test_without_javascript_it_is_reached_by_keyboard_read_by_everybody_and_left(
    open_plain: OpenPlain, overheard: list[str], boss: Person
) -> None:
    page = await open_plain("/ops/status")
    form = await findings(page)
    await sign_in(page, boss)
    await page.goto("/ops/status?paused")
    status = await findings(page)
    stopped = await walk(page, 4)

    await page.get_by_text("Requests as a table").click()
    table = await findings(page)
    await page.get_by_role("link", name="Runbook ProcessMissing").first.click()
    runbook = await findings(page)
    await page.goto("/ops/status?paused")
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url("**/ops/sign-in")

    assert (form, status, table, runbook) == ([], [], [], [])
    assert stopped[:2] == ["a", "button"]
    assert not [stop for stop in stopped if "without outline" in stop]
    assert overheard == []


async def test_without_javascript_the_browser_loads_it_again_unless_it_is_paused(
    open_plain: OpenPlain, boss: Person
) -> None:
    page = await open_plain("/ops/sign-in")
    await sign_in(page, boss)
    async with page.expect_navigation(timeout=8_000) as again:
        pass
    await page.get_by_role("link", name="Stop redrawing").click()
    await page.wait_for_url("**/ops/status?paused")

    assert (await again.value).url.endswith("/ops/status")
    assert await page.locator("meta[http-equiv=refresh]").count() == 0


async def test_with_javascript_numbers_change_while_tables_stay_open_and_the_focus_stays(
    open_page: OpenPage, origin: str, boss: Person
) -> None:
    page = await open_page(viewport=PHONE, base_url=origin)
    wrong: list[str] = []
    page.on("console", lambda message: _note(message, wrong))
    await page.goto("/ops/sign-in")
    await sign_in(page, boss)
    summary = page.get_by_text("Requests as a table")
    await summary.click()
    before = await page.locator("#live > .hint").first.inner_text()

    await page.wait_for_function(
        "before => document.querySelector('#live > .hint').innerText !== before", arg=before
    )

    assert await page.locator("#table-requests").get_attribute("open") == ""
    assert await page.evaluate("document.activeElement.id") == "open-requests"
    assert await page.locator("#live section.figure").count() > 10
    assert await findings(page) == []
    assert wrong == []


def _note(message: ConsoleMessage, wrong: list[str]) -> None:
    # A browser asks for an icon that no page names.
    if not message.location["url"].endswith("/favicon.ico"):
        wrong.append(message.text)


async def test_what_stands_still_says_so_and_a_session_that_ended_leads_to_the_form(
    open_page: OpenPage, origin: str, boss: Person, owner: Any
) -> None:
    page = await open_page(base_url=origin)
    await page.goto("/ops/sign-in")
    await sign_in(page, boss)
    await page.context.set_offline(True)
    await page.wait_for_selector("#stale:visible")
    await page.context.set_offline(False)

    await owner.execute("UPDATE sessions SET ended_at = now()")
    await page.wait_for_url("**/ops/sign-in")

    assert await page.get_by_role("heading", name="Sign in").count() == 1


async def test_whoever_loses_the_role_is_told_so_once_and_asks_no_more(
    open_page: OpenPage, origin: str, boss: Person, owner: Any
) -> None:
    page = await open_page(base_url=origin)
    await page.goto("/ops/sign-in")
    await sign_in(page, boss)
    asked: list[str] = []
    page.on("response", lambda answer: asked.append(f"{answer.status} {answer.url}"))

    await owner.execute("DELETE FROM user_roles")
    await page.get_by_text("Your roles do not permit this any more.").wait_for(timeout=12_000)
    until_then = len(asked)
    await page.wait_for_timeout(6_000)

    assert asked[-1].startswith("403 ")
    assert len(asked) == until_then
    assert await page.locator("#live > *").count() == 0
    assert await page.locator("#stale").is_hidden()
