"""The documents' own axios client runs unchanged against the server, in a real browser."""

import asyncio
import re
from typing import Any

import pytest

from tests.browser.conftest import OpenPage
from tests.browser.document import Application, modules, open_on, without_types
from tests.conftest import Serve
from tests.factories import new_user

ME, REFRESH, LOGIN = "/api/auth/me", "/auth/refresh", "/api/auth/login"
_SESSIONS = "SELECT count(*) AS rows, count(ended_at) AS ended FROM sessions"


@pytest.fixture
async def application(serve: Serve, open_page: OpenPage) -> Application:
    """Open the document's application; access tokens live for two seconds."""
    api = await serve(
        access_token_ttl="2s", rate_limit_anonymous="off", rate_limit_authenticated="off"
    )
    return await open_on(await open_page(), str(api._base_url).rstrip("/"))


async def registered(application: Application) -> dict[str, Any]:
    """Register somebody who stays signed in; return what they registered with."""
    person = new_user()
    await application.run("async (person) => app.keep(await app.register(person))", person)
    return person


def test_the_documents_text_changes_by_its_types_only() -> None:
    given = modules("http://localhost:3000/api")

    first, _, client = given["/app/client"].partition("\n")
    assert first == 'import.meta.env = {"VITE_API_URL": "http://localhost:3000/api"};'
    assert client.startswith("// api/client.ts\n")
    assert "import axios from 'axios';" in client
    assert without_types(client) == client
    auth_api = given["/app/auth.api"]
    assert not re.search("Promise|Request|import type", auth_api)
    assert "login: (data) =>\n    apiClient.post('/auth/login', data)," in auth_api


async def test_people_register_see_themselves_sign_out_and_sign_in(
    application: Application, owner: Any
) -> None:
    person = await registered(application)
    me = await application.run("app.whoAmI")
    left = await application.run("app.logout")
    credentials = {"email": person["email"], "password": person["password"]}
    told = await application.run("app.login", credentials)
    await application.run("app.keep", told)
    again = await application.run("app.whoAmI")

    assert me["email"] == again["email"] == person["email"]
    assert left["success"] is True
    assert told["data"]["user"]["id"] == me["id"]
    assert told["expiresIn"] == 2
    assert dict(await owner.fetchrow(_SESSIONS)) == {"rows": 2, "ended": 1}
    assert application.path == "/app/"


async def test_the_clients_own_refresh_gives_a_token_that_works(application: Application) -> None:
    await registered(application)
    kept = await application.kept()

    told = await application.run("app.refreshToken", kept["refreshToken"])
    await application.run("app.keep", told)

    assert told["accessToken"] not in (None, kept["accessToken"])
    assert (await application.run("app.whoAmI"))["firstName"] == "Ada"


async def test_twenty_requests_at_a_time_over_several_expiries_throw_nobody_out(
    application: Application, owner: Any
) -> None:
    person = await registered(application)
    kept = await application.kept()
    expiries = 0

    async with asyncio.timeout(30):
        while expiries < 3:
            refused = application.answers[ME, 401]
            assert await application.run("app.crowd", 20) == [person["email"]] * 20
            expiries += application.answers[ME, 401] > refused
            await asyncio.sleep(0.2)

    now = await application.kept()
    assert now["refreshToken"] == kept["refreshToken"]
    assert now["accessToken"] != kept["accessToken"]
    assert application.answers[REFRESH, 200] >= 6  # several at once, at each expiry
    assert {status for path, status in application.answers if path == REFRESH} == {200}
    assert dict(await owner.fetchrow(_SESSIONS)) == {"rows": 1, "ended": 0}
    assert application.path == "/app/"


async def test_a_wrong_password_is_refused_and_the_client_goes_to_sign_in(
    application: Application, owner: Any
) -> None:
    person = await registered(application)
    await application.page.evaluate("localStorage.clear()")
    wrong = {"email": person["email"], "password": "Wrong-Horse-9"}

    await application.begin("app.login", wrong)
    await application.thrown_out()

    assert await application.outcome() == "401"
    assert application.answers[LOGIN, 401] == 1
    assert application.answers[REFRESH, 400] == 1  # it asks to refresh nothing
    assert await application.kept() == {}
    assert dict(await owner.fetchrow(_SESSIONS)) == {"rows": 1, "ended": 0}


async def test_after_logout_nothing_refreshes_and_the_client_goes_to_sign_in(
    application: Application, owner: Any
) -> None:
    await registered(application)
    await application.run("app.logout")

    await application.begin("app.whoAmI")
    await application.thrown_out()

    assert await application.outcome() == "401"
    assert application.answers[ME, 401] == 1
    assert application.answers[REFRESH, 401] == 1
    assert await application.kept() == {}
    assert dict(await owner.fetchrow(_SESSIONS)) == {"rows": 1, "ended": 1}
