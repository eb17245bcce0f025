"""The door of the status page against people who push: what is noted, counted, ended, refused."""

import asyncio
from binascii import crc32
from typing import Any

import aiohttp
import pytest

from tests.api.browsers import SIGN_IN, Browser
from tests.api.holders import holder, own_role
from tests.conftest import Serve
from tests.factories import PASSWORD, bearer, new_user
from tests.people import Person, admin, id_of, person

STATUS, SIGN_OUT = "/ops/status", "/ops/sign-out"
TOKENS = {"ostiary_page_access", "ostiary_page_refresh"}
LIVE_SESSIONS = "SELECT count(*) FROM sessions WHERE user_id = $1 AND ended_at IS NULL"
DENIALS = "SELECT facts ->> 'route' FROM audit_inbox WHERE action = 'access.denied'"
REUSED = "SELECT count(*) FROM audit_inbox WHERE action = 'session.token_reused'"
LOSE_ROLE = "DELETE FROM user_roles WHERE user_id = $1"


@pytest.fixture
def browser(api: aiohttp.ClientSession) -> Browser:
    """Give a browser that was never here."""
    return Browser(api)


@pytest.fixture
async def boss(api: aiohttp.ClientSession, owner: Any) -> Person:
    """Register an administrator."""
    return await admin(api, owner)


@pytest.mark.parametrize("name", ["%00", "%ED%A0%80", "Pay%20me"])
async def test_what_is_noted_of_somebody_denied_is_the_declared_path_whatever_they_asked_for(
    browser: Browser, api: aiohttp.ClientSession, owner: Any, name: str
) -> None:
    user = await person(api, owner)

    status, page, _ = await browser.ask("GET", f"/ops/runbooks/{name}", headers=bearer(user))

    assert status == 403
    assert "Your roles do not permit this" in page
    noted = [row[0] for row in await owner.fetch(DENIALS)]
    assert noted == ["GET /ops/runbooks/{name}"]


async def test_somebody_denied_is_counted_and_writes_no_more_than_the_limit_allows(
    serve: Serve, owner: Any
) -> None:
    api = await serve(rate_limit_authenticated="5/1h")
    user, browser = await person(api, owner), Browser(api)

    found = [(await browser.ask("GET", STATUS, headers=bearer(user)))[0] for _ in range(8)]
    _, page, headers = await browser.ask("GET", STATUS, headers=bearer(user))

    assert found == [403] * 5 + [429] * 3
    assert "Too many requests" in page
    assert int(headers["Retry-After"]) > 0
    assert len(await owner.fetch(DENIALS)) == 5


async def test_whoever_lost_the_role_loses_the_browsers_session_and_is_no_thief(
    browser: Browser, boss: Person, owner: Any
) -> None:
    await browser.sign_in(boss)
    kept = dict(browser.jar)
    await owner.execute(LOSE_ROLE, id_of(boss))
    del browser.jar["ostiary_page_access"]  # as browsers do after its quarter of an hour
    await asyncio.sleep(1)

    denied, _, _ = await browser.ask("GET", STATUS)
    after, _, _ = await browser.ask("GET", STATUS)
    browser.jar = {"ostiary_page_refresh": kept["ostiary_page_refresh"]}  # an older tab
    again = [(await browser.ask("GET", STATUS))[0] for _ in range(2)]

    assert (denied, after, again) == (403, 303, [303, 303])
    assert await owner.fetchval(LIVE_SESSIONS, id_of(boss)) == 1  # that of the registration
    assert await owner.fetchval(REUSED) == 0
    assert len(await owner.fetch(DENIALS)) == 1


async def test_an_open_page_of_somebody_who_lost_the_role_is_denied_once_and_ended(
    browser: Browser, boss: Person, owner: Any
) -> None:
    await browser.sign_in(boss)
    await owner.execute(LOSE_ROLE, id_of(boss))
    await asyncio.sleep(1)

    found = [(await browser.ask("GET", STATUS))[0] for _ in range(3)]

    assert found == [403, 303, 303]
    assert TOKENS.isdisjoint(browser.jar)
    assert await owner.fetchval(LIVE_SESSIONS, id_of(boss)) == 1
    assert len(await owner.fetch(DENIALS)) == 1


async def test_signing_in_again_ends_the_session_that_the_browser_held(
    browser: Browser, boss: Person, owner: Any
) -> None:
    await browser.sign_in(boss)
    before = dict(browser.jar)

    status, _, _ = await browser.sign_in(boss)

    assert status == 303
    assert await owner.fetchval(LIVE_SESSIONS, id_of(boss)) == 2  # that of the registration, and it
    assert (await browser.ask("GET", STATUS))[0] == 200
    browser.jar = {"ostiary_page_refresh": before["ostiary_page_refresh"]}
    assert (await browser.ask("GET", STATUS))[0] == 303


async def test_a_sign_in_that_fails_leaves_the_session_that_the_browser_held(
    browser: Browser, boss: Person, owner: Any
) -> None:
    await browser.sign_in(boss)

    status, _, _ = await browser.sign_in(boss, "Wrong-Horse-9")

    assert status == 401
    assert (await browser.ask("GET", STATUS))[0] == 200


async def test_a_refused_sign_in_opens_nothing_ends_nothing_and_promises_no_letter(
    serve: Serve, owner: Any
) -> None:
    api = await serve(sessions_per_user="1")
    user, browser = await person(api, owner), Browser(api)
    await browser.ask("GET", SIGN_IN)
    form = {"email": user["user"]["email"], "password": PASSWORD}
    form["form"] = browser.jar["ostiary_page_form"]
    letters = "SELECT count(*) FROM outbox WHERE name = 'emails.new_device'"

    new = {"User-Agent": "Lynx/2.9"}
    status, _, _ = await browser.ask("POST", SIGN_IN, data=form, headers=new)

    assert status == 403
    sessions = await owner.fetch("SELECT ended_at FROM sessions WHERE user_id = $1", id_of(user))
    assert [row[0] for row in sessions] == [None]
    assert await owner.fetchval(letters) == 0


@pytest.mark.parametrize("path", [SIGN_IN, STATUS])
@pytest.mark.parametrize("name", ["form", "access", "refresh", "device"])
async def test_cookies_of_any_bytes_are_none_of_ours(serve: Serve, path: str, name: str) -> None:
    api = await serve()

    answer = await raw(api, path, f"ostiary_page_{name}=\xff".encode("latin-1"))

    assert answer.startswith(b"HTTP/1.1 200" if path == SIGN_IN else b"HTTP/1.1 303")


async def test_a_refresh_token_of_any_bytes_is_none_of_ours(
    api: aiohttp.ClientSession, browser: Browser, boss: Person
) -> None:
    await browser.sign_in(boss)
    head, _, _ = browser.jar["ostiary_page_refresh"].rpartition(".")
    public, _, _ = head.rpartition(".")
    body = f"{public}.".encode() + b"\xff"
    seen = body.decode("utf-8", "surrogateescape").encode("utf-8", "surrogatepass")
    cookie = b"ostiary_page_refresh=" + body + f".{crc32(seen):08x}".encode()

    answer = await raw(api, STATUS, cookie)

    assert answer.startswith(b"HTTP/1.1 303")


async def test_a_link_of_another_site_leaves_the_forms_of_open_tabs_as_they_are(
    browser: Browser, boss: Person
) -> None:
    await browser.sign_in(boss)
    await browser.ask("GET", STATUS)

    assert browser.given["ostiary_page_form"]["samesite"] == "Lax"
    # What browsers send along then.
    status, _, _ = await browser.ask("GET", SIGN_IN)
    assert status == 200
    assert browser.given["ostiary_page_form"].value == browser.jar["ostiary_page_form"]


async def raw(api: aiohttp.ClientSession, path: str, cookie: bytes) -> bytes:
    """Send bytes that no client of ours would send; return the head of the answer."""
    assert api._base_url
    host, port = api._base_url.host, api._base_url.port
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\nCookie: ".encode()
        + cookie
        + b"\r\n\r\n"
    )
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_the_next_tokens_of_a_browsers_session_are_counted_as_at_the_api(
    serve: Serve, owner: Any
) -> None:
    api = await serve(rate_limit_refresh="2/15m")
    browser = Browser(api)
    await browser.sign_in(await admin(api, owner))
    found = []

    for _ in range(3):
        del browser.jar["ostiary_page_access"]  # as after a quarter of an hour
        status, _, headers = await browser.ask("GET", STATUS)
        found.append((status, "Retry-After" in headers))

    assert found == [(200, False), (200, False), (429, True)]


async def test_whoever_guesses_at_the_form_is_told_how_long_to_wait(
    serve: Serve, owner: Any
) -> None:
    api = await serve(rate_limit_auth_failures="2/1h")
    browser, boss = Browser(api), await admin(api, owner)

    found = [await browser.sign_in(boss, "Wrong-Horse-9") for _ in range(3)]

    assert [status for status, _, _ in found] == [401, 401, 429]
    assert int(found[2][2]["Retry-After"]) > 0


async def test_one_role_of_several_is_enough_to_look(
    browser: Browser, api: aiohttp.ClientSession, owner: Any
) -> None:
    user = await holder(api, owner, "users:read_own", rank=60)
    lower, higher = (
        await own_role(owner, "statistics:read", rank=55),
        await own_role(owner, rank=65),
    )
    await owner.execute(
        "INSERT INTO user_roles (user_id, role_id) SELECT $1, id FROM roles WHERE name = ANY($2)",
        id_of(user),
        [lower, higher],
    )

    status, _, _ = await browser.sign_in(user)

    assert status == 303
    assert (await browser.ask("GET", STATUS))[0] == 200


async def test_where_only_verified_people_sign_in_administrators_do_too(
    serve: Serve, owner: Any
) -> None:
    api = await serve(require_verified_email="login")
    browser, boss = Browser(api), await housed(api, owner)

    unproved, _, _ = await browser.sign_in(boss)
    await owner.execute("UPDATE users SET email_verified = true")

    assert unproved == 403
    assert await owner.fetchval("SELECT count(*) FROM sessions") == 0
    assert (await browser.sign_in(boss))[0] == 303


async def housed(api: aiohttp.ClientSession, owner: Any) -> Person:
    """Register an administrator who has no session and has not proved their address."""
    body = new_user()
    async with api.post("/api/v1/auth/register", json=body) as answer:
        assert answer.status == 202
    await owner.execute(
        "INSERT INTO user_roles (user_id, role_id)"
        " SELECT users.id, roles.id FROM users, roles WHERE roles.name = 'admin'"
    )
    return {"user": {"email": body["email"]}}
