"""What another site's page posts here with somebody's browser changes nothing."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.browser.accessibility import findings
from tests.browser.conftest import OpenPage
from tests.factories import free_socket, register


@pytest.fixture
async def other_site(origin: str) -> AsyncIterator[str]:
    """Serve a page of another site, whose button posts to our form."""
    sock, app = free_socket(), web.Application()

    async def give(_: web.Request) -> web.Response:
        form = f'<form method="post" action="{origin}/forgot-password">'
        text = f'{form}<input name="email" value="ada@example.com"><button>Win</button></form>'
        return web.Response(text=text, content_type="text/html")

    app.router.add_get("/", give)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.SockSite(runner, sock).start()
    # Another host is another site; another port would be another origin of the same one.
    yield f"http://localhost:{sock.getsockname()[1]}/"
    await runner.cleanup()
    sock.close()


async def test_a_form_of_another_site_is_refused_with_a_page(
    open_page: OpenPage, other_site: str, api: aiohttp.ClientSession, owner: Any
) -> None:
    await register(api, email="ada@example.com")
    page = await open_page(java_script_enabled=False)
    await page.goto(other_site)

    async with page.expect_navigation() as navigation:
        await page.get_by_role("button").click()

    assert (await navigation.value).status == 403
    assert await page.locator("h1").inner_text() == "That did not work"
    assert await findings(page) == []
    promised = "SELECT count(*) FROM outbox WHERE name = 'passwords.reset'"
    assert await owner.fetchval(promised) == 0
