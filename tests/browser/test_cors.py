"""A browser keeps pages of other origins out, and lets the allowed ones in: real preflights."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.browser.conftest import OpenPage
from tests.browser.document import INDEX, Application, modules
from tests.conftest import Serve
from tests.factories import free_socket, new_user

OpenElsewhere = Callable[[str], Awaitable[Application]]


@pytest.fixture
async def open_elsewhere(serve: Serve, open_page: OpenPage) -> AsyncIterator[OpenElsewhere]:
    """Open the document's application on an origin of its own; the API allows the one given.

    Like Vite's server it gives the files and forwards /auth, which the document asks of its own
    origin.
    """
    app, sock = web.Application(), free_socket()
    origin = f"http://127.0.0.1:{sock.getsockname()[1]}"
    runner = web.AppRunner(app)

    async def run(allowed: str) -> Application:
        api = await serve(rate_limit_anonymous="off", allowed_origins=allowed or origin)
        _add_files(app, f"{str(api._base_url).rstrip('/')}/api")
        _forward(app, api)
        await runner.setup()
        await web.SockSite(runner, sock).start()
        return await Application(await open_page(), origin).open()

    yield run
    await runner.cleanup()
    sock.close()


def _add_files(app: web.Application, api_url: str) -> None:
    files = {"/app/": INDEX, "/login": INDEX} | modules(api_url)

    async def give(request: web.Request) -> web.Response:
        path = request.path
        kind = "text/html" if files[path] is INDEX else "text/javascript"
        return web.Response(text=files[path], content_type=kind)

    for path in files:
        app.router.add_get(path, give)


def _forward(app: web.Application, api: aiohttp.ClientSession) -> None:
    async def forward(request: web.Request) -> web.Response:
        body = await request.read()
        headers = {"Content-Type": request.content_type}
        async with api.post(request.path, data=body, headers=headers) as answer:
            return web.Response(
                body=await answer.read(),
                status=answer.status,
                content_type=answer.content_type,
            )

    app.router.add_post("/auth/refresh", forward)


async def test_an_allowed_origin_signs_in_and_refreshes(
    open_elsewhere: OpenElsewhere,
) -> None:
    application = await open_elsewhere("")
    person = new_user()
    await application.run("async (person) => app.keep(await app.register(person))", person)

    await application.page.evaluate("localStorage.accessToken = 'stale'")
    emails = await application.run("app.crowd", 10)

    assert emails == [person["email"]] * 10
    assert application.answers["/auth/refresh", 200] >= 1
    assert application.path == "/app/"


async def test_another_origin_reads_nothing_and_changes_nothing(
    open_elsewhere: OpenElsewhere, owner: Any
) -> None:
    application = await open_elsewhere("http://allowed.example.com")

    await application.begin("app.register", new_user())

    assert await application.outcome() == "ERR_NETWORK"
    assert await owner.fetchval("SELECT count(*) FROM users") == 0
    assert await application.kept() == {}
