"""/ops/status in a browser's words: who gets in, with which cookies, and who never does."""

import asyncio
import re
from typing import Any

import aiohttp
import pytest

from storage.roles import BuiltInRole
from tests.api.browsers import SIGN_IN, Browser
from tests.conftest import Serve
from tests.factories import PASSWORD, bearer
from tests.people import Person, admin, id_of, person

STATUS, SIGN_OUT = "/ops/status", "/ops/sign-out"
TOKENS = {"ostiary_page_access", "ostiary_page_refresh"}
LIVE_SESSIONS = "SELECT count(*) FROM sessions WHERE user_id = $1 AND ended_at IS NULL"
REFUSED = "SELECT facts ->> 'reason' FROM audit_inbox WHERE action = 'session.refused'"
DENIED = "SELECT facts ->> 'route' FROM audit_inbox WHERE action = 'access.denied'"


@pytest.fixture
def browser(api: aiohttp.ClientSession) -> Browser:
    """Give a browser that was never here."""
    return Browser(api)


@pytest.fixture
async def boss(api: aiohttp.ClientSession, owner: Any) -> Person:
    """Register an administrator."""
    return await admin(api, owner)


@pytest.mark.parametrize("path", [STATUS, "/ops/runbooks/TargetDown"])
async def test_strangers_are_sent_to_the_form_and_see_nothing(browser: Browser, path: str) -> None:
    status, text, headers = await browser.ask("GET", path)

    assert (status, headers["Location"], text) == (303, SIGN_IN, f"See {SIGN_IN}")


async def test_an_administrator_signs_in_and_sees_the_page(browser: Browser, boss: Person) -> None:
    status, text, headers = await browser.sign_in(boss)
    given = browser.given

    assert (status, headers["Location"], text) == (303, STATUS, f"See {STATUS}")
    assert set(given) == {*TOKENS, "ostiary_page_device"}
    for morsel in given.values():
        assert morsel["httponly"]
        assert morsel["samesite"] == "Strict"
        assert morsel["path"] == "/"
        assert not morsel["domain"]
    status, page, headers = await browser.ask("GET", STATUS)
    assert status == 200
    assert "<h1>Status</h1>" in page
    assert headers["Cache-Control"] == "no-store"
    assert "script-src 'self';" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert not re.search(r"<style|style=|<script(?! src=\"/assets/)|\son\w+=", page)


async def test_over_https_only_this_host_can_have_set_the_cookies(serve: Serve, owner: Any) -> None:
    api = await serve(public_url="https://auth.example.com")
    browser = Browser(api)

    await browser.sign_in(await admin(api, owner))

    assert {name.partition("-")[0] for name in browser.jar} == {"__Host"}
    assert all(morsel["secure"] for morsel in browser.given.values())


@pytest.mark.parametrize("role", [BuiltInRole.MANAGER, BuiltInRole.USER, BuiltInRole.GUEST])
async def test_whoever_may_not_see_it_is_told_so_and_keeps_no_session(
    browser: Browser, api: aiohttp.ClientSession, owner: Any, role: BuiltInRole
) -> None:
    who = await person(api, owner, role)

    status, page, _ = await browser.sign_in(who)

    assert status == 403
    assert "Your roles do not permit this" in page
    assert TOKENS.isdisjoint(browser.jar)
    assert await owner.fetchval(LIVE_SESSIONS, id_of(who)) == 1  # that of the registration
    assert await owner.fetchval(REFUSED) == "not_permitted"


async def test_a_wrong_password_shows_the_form_again_without_it(
    browser: Browser, boss: Person
) -> None:
    status, page, _ = await browser.sign_in(boss, "Wrong-Horse-9")

    assert status == 401
    assert "Invalid email or password" in page
    assert boss["user"]["email"] in page
    assert "Wrong-Horse-9" not in page
    assert TOKENS.isdisjoint(browser.jar)


async def test_a_field_that_is_not_filled_in_is_named(browser: Browser) -> None:
    status, page, _ = await browser.post(SIGN_IN, email="no address")

    assert status == 400
    assert 'id="email-mistake"' in page
    assert 'id="password-mistake"' in page


async def test_guesses_at_the_form_are_counted_as_those_at_the_api(
    serve: Serve, owner: Any
) -> None:
    api = await serve(rate_limit_auth_failures="5/15m")
    boss, browser = await admin(api, owner), Browser(api)

    found = [(await browser.sign_in(boss, "Wrong-Horse-9"))[0] for _ in range(5)]
    status, page, headers = await browser.sign_in(boss)

    assert found == [401] * 5
    assert status == 429
    assert "Too many requests" in page
    assert int(headers["Retry-After"]) > 0


async def test_guesses_of_others_do_not_keep_a_browser_out_that_was_here_before(
    serve: Serve, owner: Any
) -> None:
    api = await serve(rate_limit_auth_failures="5/15m")
    boss, browser, other = await admin(api, owner), Browser(api), Browser(api)
    await browser.sign_in(boss)
    await browser.post(SIGN_OUT)

    found = [(await other.sign_in(boss, "Wrong-Horse-9"))[0] for _ in range(6)]
    status, _, _ = await browser.sign_in(boss)

    assert found[-1] == 429
    assert status == 303


async def test_a_form_that_this_browser_was_not_given_opens_nothing(
    browser: Browser, boss: Person, owner: Any
) -> None:
    form = {"email": boss["user"]["email"], "password": PASSWORD}

    bare, page, _ = await browser.ask("POST", SIGN_IN, data=form)
    await browser.ask("GET", SIGN_IN)
    empty, _, _ = await browser.ask("POST", SIGN_IN, data={**form, "form": ""})
    other, _, _ = await browser.ask("POST", SIGN_IN, data={**form, "form": "x" * 43})
    own = {**form, "form": browser.jar["ostiary_page_form"]}
    headers = {"Sec-Fetch-Site": "cross-site"}
    foreign, _, _ = await browser.ask("POST", SIGN_IN, data=own, headers=headers)

    assert (bare, empty, other, foreign) == (403, 403, 403, 403)
    assert "Open the page again" in page
    assert await owner.fetchval(LIVE_SESSIONS, id_of(boss)) == 1


async def test_after_the_access_token_the_session_goes_on_with_the_next_pair(
    browser: Browser, boss: Person
) -> None:
    await browser.sign_in(boss)
    first = dict(browser.jar)
    del browser.jar["ostiary_page_access"]  # as browsers do after its quarter of an hour

    status, _, _ = await browser.ask("GET", STATUS)

    assert status == 200
    assert set(browser.given) > TOKENS
    assert browser.jar["ostiary_page_refresh"] != first["ostiary_page_refresh"]
    browser.jar.update(first, ostiary_page_access="")  # another tab that asked just then
    assert (await browser.ask("GET", STATUS))[0] == 200


async def test_the_next_pair_comes_with_whatever_is_answered(
    browser: Browser, boss: Person
) -> None:
    await browser.sign_in(boss)
    del browser.jar["ostiary_page_access"]

    status, _, _ = await browser.ask("GET", "/ops/runbooks/Nothing")

    assert status == 404
    assert set(browser.given) == TOKENS


async def test_an_ancestor_of_the_refresh_token_ends_the_session(
    browser: Browser, boss: Person, owner: Any
) -> None:
    await browser.sign_in(boss)
    stolen = browser.jar["ostiary_page_refresh"]
    for _ in range(2):
        del browser.jar["ostiary_page_access"]
        await browser.ask("GET", STATUS)
    kept = dict(browser.jar)

    browser.jar = {"ostiary_page_refresh": stolen}
    thief, _, _ = await browser.ask("GET", STATUS)
    browser.jar = {"ostiary_page_refresh": kept["ostiary_page_refresh"]}
    after, _, _ = await browser.ask("GET", STATUS)

    assert (thief, after) == (303, 303)
    assert await owner.fetchval(LIVE_SESSIONS, id_of(boss)) == 1


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ("UPDATE sessions SET ended_at = now() WHERE user_id = $1", 303),
        ("UPDATE users SET is_active = false WHERE id = $1", 303),
        ("DELETE FROM user_roles WHERE user_id = $1", 403),
    ],
)
async def test_whoever_loses_session_or_role_sees_no_more_within_a_second(
    browser: Browser, boss: Person, owner: Any, change: str, status: int
) -> None:
    await browser.sign_in(boss)
    assert (await browser.ask("GET", STATUS))[0] == 200

    await owner.execute(change, id_of(boss))
    await asyncio.sleep(1)

    found, page, _ = await browser.ask("GET", STATUS)
    assert found == status
    assert "<h1>Status</h1>" not in page


async def test_signing_out_ends_the_session_and_takes_its_cookies(
    browser: Browser, boss: Person, owner: Any
) -> None:
    await browser.sign_in(boss)
    kept = dict(browser.jar)

    status, _, headers = await browser.post(SIGN_OUT)

    assert (status, headers["Location"]) == (303, SIGN_IN)
    assert TOKENS.isdisjoint(browser.jar)
    assert await owner.fetchval(LIVE_SESSIONS, id_of(boss)) == 1
    browser.jar = kept
    await asyncio.sleep(1)
    assert (await browser.ask("GET", STATUS))[0] == 303
    assert (await browser.post(SIGN_OUT))[0] == 303  # a second time nothing happens


async def test_signing_out_wants_a_form_of_this_browser(
    browser: Browser, boss: Person, owner: Any
) -> None:
    await browser.sign_in(boss)

    status, _, _ = await browser.ask("POST", SIGN_OUT, data={})

    assert status == 403
    assert await owner.fetchval(LIVE_SESSIONS, id_of(boss)) == 2


async def test_the_api_reads_none_of_these_cookies(browser: Browser, boss: Person) -> None:
    await browser.sign_in(boss)

    me, _, _ = await browser.ask("GET", "/api/v1/auth/me")
    numbers, _, _ = await browser.ask("GET", "/api/v1/admin/status")
    headers = {"X-Auth-Transport": "cookie", "Origin": "http://localhost:3000"}
    refreshed, _, _ = await browser.ask("POST", "/api/v1/auth/refresh", headers=headers)

    assert (me, numbers, refreshed) == (401, 401, 401)


async def test_an_access_token_opens_the_page_to_scripts_of_administrators_alone(
    browser: Browser, boss: Person, api: aiohttp.ClientSession, owner: Any
) -> None:
    user = await person(api, owner)

    page, _, _ = await browser.ask("GET", STATUS, headers=bearer(boss))
    runbook, text, _ = await browser.ask("GET", "/ops/runbooks/TargetDown", headers=bearer(boss))
    denied, _, _ = await browser.ask("GET", STATUS, headers=bearer(user))

    assert (page, runbook, denied) == (200, 200, 403)
    assert "## What to do" in text
    assert await owner.fetchval(DENIED) == f"GET {STATUS}"


@pytest.mark.parametrize("name", ["Nothing", "..%2F..%2FREADME", "%2e%2e", "TargetDown.md"])
async def test_nothing_but_runbooks_is_read(browser: Browser, boss: Person, name: str) -> None:
    status, _, _ = await browser.ask("GET", f"/ops/runbooks/{name}", headers=bearer(boss))

    assert status == 404


async def test_looking_is_not_counted_against_what_an_administrator_may_ask(
    serve: Serve, owner: Any
) -> None:
    api = await serve(rate_limit_anonymous="20/15m", rate_limit_authenticated="5/1h")
    boss, browser = await admin(api, owner), Browser(api)
    await browser.sign_in(boss)

    found = {(await browser.ask("GET", STATUS))[0] for _ in range(30)}

    assert found == {200}
