"""Cookie transport: the refresh token in a cookie, header and Origin as proof against forgery."""

from http.cookies import SimpleCookie
from typing import Any

import aiohttp
import pytest

from tests.conftest import Serve
from tests.factories import PASSWORD, bearer, new_user, register

ORIGIN = "https://auth.example.com"
APP = "https://app.example.com"
SETTINGS = {"public_url": ORIGIN, "allowed_origins": APP}
CHOSEN = {"X-Auth-Transport": "cookie", "Origin": ORIGIN}
REFRESH = "/api/v1/auth/refresh"
COOKIE = "__Host-ostiary_refresh"


def cookies_of(answer: aiohttp.ClientResponse) -> "SimpleCookie":
    found: SimpleCookie = SimpleCookie()
    for line in answer.headers.getall("Set-Cookie", []):
        found.load(line)
    return found


async def sign_up(api: aiohttp.ClientSession) -> tuple[str, dict[str, Any]]:
    """Register with cookies; return the refresh cookie's value and the body."""
    async with api.post("/api/v1/auth/register", json=new_user(), headers=CHOSEN) as answer:
        assert answer.status == 201
        return cookies_of(answer)[COOKIE].value, await answer.json()


async def refresh(
    api: aiohttp.ClientSession, cookie: str, **headers: str
) -> tuple[int, dict[str, Any], str]:
    sent = {"Cookie": f"{COOKIE}={cookie}"} | headers
    async with api.post(REFRESH, headers=sent) as answer:
        found = cookies_of(answer)
        return answer.status, await answer.json(), found[COOKIE].value if COOKIE in found else ""


async def test_the_refresh_token_travels_in_a_cookie_that_no_script_and_no_plain_http_sees(
    serve: Serve,
) -> None:
    api = await serve(**SETTINGS)

    async with api.post("/api/v1/auth/register", json=new_user(), headers=CHOSEN) as answer:
        body, lines = await answer.json(), answer.headers.getall("Set-Cookie")

    assert "refreshToken" not in body["data"]
    assert "refreshToken" not in body
    assert "deviceToken" not in body["data"]
    assert body["data"]["accessToken"]
    line = next(line for line in lines if line.startswith(COOKIE))
    attributes = {item.strip().lower() for item in line.split(";")[1:]}
    assert {"httponly", "secure", "samesite=strict", "path=/"} <= attributes
    assert not any(item.startswith("domain") for item in attributes)


async def test_cookies_live_as_long_as_what_they_carry(serve: Serve) -> None:
    api = await serve(**SETTINGS, refresh_token_ttl="3d")

    async with api.post("/api/v1/auth/register", json=new_user(), headers=CHOSEN) as answer:
        ages = {name: cookie["max-age"] for name, cookie in cookies_of(answer).items()}

    assert ages == {COOKIE: str(3 * 86_400), "__Host-ostiary_device": str(180 * 86_400)}


async def test_a_refresh_by_cookie_rotates_it(serve: Serve) -> None:
    api = await serve(**SETTINGS)
    cookie, _ = await sign_up(api)

    status, body, rotated = await refresh(api, cookie, **CHOSEN)

    assert status == 200
    assert "refreshToken" not in body["data"]
    assert rotated.startswith("ort_")
    assert rotated != cookie
    app = CHOSEN | {"Origin": APP}
    assert (await refresh(api, rotated, **app))[0] == 200


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 400),
        ({"Origin": ORIGIN}, 400),
        ({"X-Auth-Transport": "bearer", "Origin": ORIGIN}, 400),
        ({"X-Auth-Transport": "cookie"}, 403),
        ({"X-Auth-Transport": "cookie", "Origin": "null"}, 403),
        ({"X-Auth-Transport": "cookie", "Origin": "https://evil.example.com"}, 403),
        ({"X-Auth-Transport": "cookie", "Origin": f"{ORIGIN}.evil.com"}, 403),
        ({"X-Auth-Transport": "cookie", "Origin": "http://auth.example.com"}, 403),
    ],
)
async def test_without_header_and_origin_the_cookie_is_not_even_read(
    serve: Serve, owner: Any, headers: dict[str, str], expected: int
) -> None:
    api = await serve(**SETTINGS)
    cookie, _ = await sign_up(api)

    status, _, rotated = await refresh(api, cookie, **headers)

    assert (status, rotated) == (expected, "")
    assert await owner.fetchval("SELECT generation FROM sessions") == 0


async def test_a_form_of_another_site_opens_no_session(serve: Serve, owner: Any) -> None:
    api = await serve(**SETTINGS)
    await register(api, email="mallory@example.com")
    before = await owner.fetchval("SELECT count(*) FROM sessions")
    form = {"email": "mallory@example.com", "password": PASSWORD}

    async with api.post(
        "/api/v1/auth/login", data=form, headers={"Origin": "https://evil.example.com"}
    ) as answer:
        assert answer.status == 415
        assert "Set-Cookie" not in answer.headers
    foreign = {"X-Auth-Transport": "cookie", "Origin": "https://evil.example.com"}
    async with api.post("/api/v1/auth/login", json=form, headers=foreign) as answer:
        assert answer.status == 403
        assert "Set-Cookie" not in answer.headers

    assert await owner.fetchval("SELECT count(*) FROM sessions") == before


async def test_bearer_mode_reads_and_sets_no_cookie(serve: Serve) -> None:
    api = await serve(**SETTINGS)
    cookie, body = await sign_up(api)

    async with api.post("/api/v1/auth/register", json=new_user()) as answer:
        assert "Set-Cookie" not in answer.headers
    sent = {"Cookie": f"{COOKIE}={cookie}; accessToken={body['data']['accessToken']}"}
    async with api.get("/api/v1/auth/me", headers=sent) as answer:
        assert answer.status == 401
    async with api.post("/api/v1/auth/logout", headers=sent) as answer:
        assert answer.status == 401
    assert (await refresh(api, cookie, **CHOSEN))[0] == 200


async def test_logout_by_cookie_ends_the_session_and_removes_the_cookie(serve: Serve) -> None:
    api = await serve(**SETTINGS)
    cookie, body = await sign_up(api)

    sent = CHOSEN | {"Cookie": f"{COOKIE}={cookie}"}
    async with api.post("/api/v1/auth/logout", headers=sent) as answer:
        assert answer.status == 200
        assert cookies_of(answer)[COOKIE]["max-age"] == "0"

    assert (await refresh(api, cookie, **CHOSEN))[0] == 401
    async with api.get("/api/v1/auth/me", headers=bearer(body["data"])) as answer:
        assert answer.status == 401


async def test_plain_http_in_development_uses_a_name_that_browsers_take(
    serve: Serve, owner: Any
) -> None:
    api = await serve(public_url="http://localhost:3000")
    chosen = {"X-Auth-Transport": "cookie", "Origin": "http://localhost:3000"}

    async with api.post("/api/v1/auth/register", json=new_user(), headers=chosen) as answer:
        line = next(
            line for line in answer.headers.getall("Set-Cookie") if "ostiary_refresh" in line
        )

    assert line.startswith("ostiary_refresh=")
    assert "secure" not in line.lower()
    assert "httponly" in line.lower()


async def test_a_token_in_body_and_cookie_at_once_is_ambiguous_and_refused(serve: Serve) -> None:
    api = await serve(**SETTINGS)
    cookie, _ = await sign_up(api)
    sent = CHOSEN | {"Cookie": f"{COOKIE}={cookie}"}

    async with api.post(REFRESH, json={"refreshToken": cookie}, headers=sent) as answer:
        assert answer.status == 400


async def test_the_device_cookie_lets_its_owner_in_while_others_guess(serve: Serve) -> None:
    api = await serve(**SETTINGS)
    async with api.post(
        "/api/v1/auth/register", json=new_user(email="ada@example.com"), headers=CHOSEN
    ) as answer:
        device = cookies_of(answer)["__Host-ostiary_device"].value
    wrong = {"email": "ada@example.com", "password": "wrong"}
    for _ in range(6):
        async with api.post("/api/v1/auth/login", json=wrong) as answer:
            await answer.read()
    right = {"email": "ada@example.com", "password": PASSWORD}
    sent = {"Cookie": f"__Host-ostiary_device={device}"}

    async with api.post("/api/v1/auth/login", json=right, headers=sent) as answer:
        assert answer.status == 429  # bearer mode reads no cookies
    async with api.post("/api/v1/auth/login", json=right, headers=sent | CHOSEN) as answer:
        assert answer.status == 200


async def test_while_no_public_url_is_set_every_name_of_this_machine_is_our_own(
    serve: Serve,
) -> None:
    api, public = await serve(), await serve(public_url="http://localhost:3000")

    async def status(client: aiohttp.ClientSession, origin: str) -> int:
        chosen = {"X-Auth-Transport": "cookie", "Origin": origin}
        body = new_user()
        async with client.post("/api/v1/auth/register", json=body, headers=chosen) as answer:
            return answer.status

    for name in ("localhost", "127.0.0.1", "[::1]"):
        assert await status(api, f"http://{name}:3000") == 201
    assert await status(api, "http://127.0.0.1:3001") == 403
    assert await status(public, "http://127.0.0.1:3000") == 403


async def test_what_a_foreign_page_is_refused_was_not_done_either(serve: Serve, owner: Any) -> None:
    api = await serve(**SETTINGS)
    _, body = await sign_up(api)
    foreign = CHOSEN | {"Origin": "https://evil.example.com"} | bearer(body["data"])

    for method, path in (("POST", "/api/v1/auth/logout-all"), ("DELETE", "/api/v1/auth/me")):
        async with api.request(method, path, headers=foreign) as answer:
            assert answer.status == 403

    assert await owner.fetchval("SELECT count(*) FROM sessions WHERE ended_at IS NULL") == 1
    assert await owner.fetchval("SELECT deleted_at FROM users") is None
