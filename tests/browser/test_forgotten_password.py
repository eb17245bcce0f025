"""A forgotten password, from the form to the next sign-in, as a person does it."""

import aiohttp

from tests.browser.accessibility import findings
from tests.browser.conftest import LetterLink, OpenPlain
from tests.factories import register

NEW_PASSWORD = "Fresh-Walrus-Lantern-7"


async def test_a_forgotten_password_is_replaced_by_keyboard_alone(
    open_plain: OpenPlain, api: aiohttp.ClientSession, letter_link: LetterLink
) -> None:
    await register(api, email="ada@example.com")
    page = await open_plain("/forgot-password")
    await page.keyboard.press("Tab")
    await page.keyboard.type("ada@example.com")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("h1:has-text('Look into your mailbox')")

    await page.goto(await letter_link("/reset-password"))
    await page.keyboard.press("Tab")
    await page.keyboard.type(NEW_PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_selector("form", state="detached")

    assert await findings(page) == []
    credentials = {"email": "ada@example.com", "password": NEW_PASSWORD}
    async with api.post("/api/v1/auth/login", json=credentials) as answer:
        assert answer.status == 200
