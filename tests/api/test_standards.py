"""What holds for every route: methods, media types, shapes, caches, versions, denials."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from api.app import all_endpoints
from api.parts import Parts, open_parts
from tests.api.standards import THINGS, standing
from tests.api.test_http import raw
from tests.conftest import MakeSettings
from tests.factories import CHEAP, bearer, register
from tests.own_database import own_database

DENIED = "/api/v1/others/denied"
MERGE = "application/merge-patch+json"


@pytest.fixture(scope="module")
async def client(parts: Parts) -> AsyncIterator[aiohttp.ClientSession]:
    async with standing(parts) as found:
        yield found


async def asked(
    client: aiohttp.ClientSession, method: str, path: str, **headers: str
) -> tuple[int, Any, bytes]:
    """Ask for a path exactly as it is written."""
    url = URL(str(client._base_url).rstrip("/") + path, encoded=True)
    sent = {"Accept-Encoding": "identity"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.request(method, url, headers=sent, allow_redirects=False) as answer:
        return answer.status, answer.headers, await answer.read()


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        (THINGS, "GET, HEAD, OPTIONS"),
        ("/api/things", "GET, HEAD, OPTIONS"),
        (f"{THINGS}/1", "GET, HEAD, OPTIONS, PATCH, PUT"),
        ("/api/v1/auth/register", "OPTIONS, POST"),
        ("/auth/register", "OPTIONS, POST"),
        ("/api/auth/me", "DELETE, GET, HEAD, OPTIONS"),
        (DENIED, "DELETE, GET, HEAD, OPTIONS, POST"),
        ("/.well-known/jwks.json", "GET, HEAD, OPTIONS"),
        ("/setup", "GET, HEAD, OPTIONS, POST"),
    ],
)
async def test_a_path_says_what_it_answers(
    client: aiohttp.ClientSession, path: str, allow: str
) -> None:
    status, headers, body = await asked(client, "OPTIONS", path, Accept="text/html")
    refused, told, _ = await asked(client, "TRACE", path)

    assert (status, body) == (204, b"")
    assert (refused, told["Allow"]) == (405, allow)
    assert headers["Allow"] == allow
    for found in (headers, told):
        assert ("Accept-Patch" in found) is ("PATCH" in allow)
    assert headers["X-Request-Id"]


async def test_an_unknown_path_answers_nothing(client: aiohttp.ClientSession) -> None:
    for path in ("/api/v1/nothing", "/nothing", "/auth/nothing", f"{THINGS}/1/2"):
        status, headers, body = await asked(client, "OPTIONS", path)

        assert status == 404
        assert "Allow" not in headers
        assert json.loads(body)["error"]["code"] == "NOT_FOUND"


async def test_options_of_the_server_itself_is_answered(client: aiohttp.ClientSession) -> None:
    request = b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    told = await raw(str(client._base_url).rstrip("/"), request)

    assert int(told.split()[1]) in {204, 400, 404}


async def test_every_get_answers_head_with_the_same_headers_and_no_body(parts: Parts) -> None:
    paths = {
        path
        for item in all_endpoints(parts.settings)
        if item.method == "GET" and "{" not in item.path
        for path in (item.path, *item.aliases)
    }
    differing = {
        "Date", "X-Request-ID", "RateLimit", "X-RateLimit-Remaining", "X-RateLimit-Reset",
        "Set-Cookie",  # the value that a form must carry is another each time
    }  # fmt: skip

    unlimited = replace(parts, settings=replace(parts.settings, rate_limit_anonymous=None))
    async with standing(unlimited) as client:
        for path in sorted(paths):
            status, got, _ = await asked(client, "GET", path)
            again, told, body = await asked(client, "HEAD", path)

            assert (again, body) == (status, b""), path
            got, told = ({k: v for k, v in h.items() if k not in differing} for h in (got, told))
            if path.endswith("ready"):  # how long each check took is of another length
                del got["Content-Length"], told["Content-Length"]
            assert told == got, path


@pytest.mark.parametrize(
    ("method", "path", "headers", "told_as"),
    [
        ("GET", "/api/v1/nothing", {}, (404, "NOT_FOUND")),
        ("GET", "/api/nothing", {}, (404, "NOT_FOUND")),
        ("GET", "/auth/nothing", {}, (404, "NOT_FOUND")),
        ("GET", "/api/v9/things", {}, (404, "NOT_FOUND")),
        ("GET", f"{THINGS}/", {}, (404, "NOT_FOUND")),
        ("GET", "/api//v1/things", {}, (404, "NOT_FOUND")),
        ("GET", f"/{THINGS}", {}, (404, "NOT_FOUND")),
        ("GET", "/api/v1%2Fthings", {}, (404, "NOT_FOUND")),
        ("GET", "/api/v1/things%00", {}, (404, "NOT_FOUND")),
        ("GET", "/API/v1/things", {}, (404, "NOT_FOUND")),
        ("GET", "/api/v1/../../etc/passwd", {}, (404, "NOT_FOUND")),
        ("GET", "/api/v1/things/%2e%2e/x", {}, (404, "NOT_FOUND")),
        ("DELETE", THINGS, {}, (405, "METHOD_NOT_ALLOWED")),
        ("POST", "/api/things", {}, (405, "METHOD_NOT_ALLOWED")),
        ("GET", "/auth/register", {}, (405, "METHOD_NOT_ALLOWED")),
        ("PUT", "/api/auth/register", {}, (405, "METHOD_NOT_ALLOWED")),
        ("MKCOL", THINGS, {}, (405, "METHOD_NOT_ALLOWED")),
        ("GET", THINGS, {"Accept": "text/html"}, (406, "NOT_ACCEPTABLE")),
        ("GET", "/api/things", {"Accept": "application/xml"}, (406, "NOT_ACCEPTABLE")),
        ("GET", "/auth/me", {"Accept": "text/*"}, (406, "NOT_ACCEPTABLE")),
        ("GET", THINGS, {"Accept": "application/json;q=0"}, (406, "NOT_ACCEPTABLE")),
        ("GET", THINGS, {"Accept": "*/*;q=0.0, text/html"}, (406, "NOT_ACCEPTABLE")),
        ("POST", "/auth/register", {"Content-Type": "text/plain"}, (415, "UNSUPPORTED_MEDIA_TYPE")),
        ("PATCH", f"{THINGS}/1", {"Content-Type": "text/plain"}, (415, "UNSUPPORTED_MEDIA_TYPE")),
        ("PATCH", f"{THINGS}/1", {}, (415, "UNSUPPORTED_MEDIA_TYPE")),
        ("PUT", f"{THINGS}/1", {"Content-Type": MERGE}, (415, "UNSUPPORTED_MEDIA_TYPE")),
        (
            "PATCH", "/api/things/1", {"Content-Type": "application/json-patch+json"},
            (415, "UNSUPPORTED_MEDIA_TYPE"),
        ),
    ],
)  # fmt: skip
async def test_what_cannot_be_answered_is_told_in_both_shapes(
    client: aiohttp.ClientSession,
    method: str,
    path: str,
    headers: dict[str, str],
    told_as: tuple[int, str],
) -> None:
    sent = {name.replace("-", "_"): value for name, value in headers.items()}
    status = told_as[0]

    found, told, body = await asked(client, method, path, **sent)
    assert (found, json.loads(body)["error"]["code"]) == told_as
    assert told["Cache-Control"] == "no-store"
    assert ("Accept-Patch" in told) is (status == 415 and method == "PATCH")

    if status != 406:
        sent["Accept"] = "application/problem+json"
        found, told, body = await asked(client, method, path, **sent)
        assert (found, json.loads(body)["code"]) == told_as
        assert told["Content-Type"] == "application/problem+json"


async def test_what_is_not_wanted_is_not_sent(client: aiohttp.ClientSession) -> None:
    accept = "application/json, application/problem+json;q=0"

    _, headers, _ = await asked(client, "GET", "/api/v1/nothing", Accept=accept)

    assert headers["Content-Type"] == "application/json"


async def test_bodies_where_none_belong_are_read_past(client: aiohttp.ClientSession) -> None:
    url = str(client._base_url).rstrip("/")
    for method in (b"GET", b"HEAD", b"DELETE", b"OPTIONS"):
        head = method + b" " + THINGS.encode() + b" HTTP/1.1\r\nHost: x\r\n"
        second = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        told = await raw(url, head + b"Content-Length: 9\r\n\r\n{" + b'"a": 1}}' + second)
        assert told.count(b"HTTP/1.1 ") == 2, told
        assert b'"status":"ok"' in told

        for garbage in (b"+1", b"1_0", b"0x1", b"-0", b"1, 1", b"9" * 30):
            told = await raw(url, head + b"Content-Length: " + garbage + b"\r\n\r\n{}")
            assert told.split()[1] == b"400", (garbage, told)


async def test_only_what_is_public_is_kept_by_caches(client: aiohttp.ClientSession) -> None:
    private = ["/health", "/api/v1/auth/me", THINGS, f"{THINGS}/1", "/", "/setup", "/nothing"]
    for path in [*private, "/ops/prometheus/targets", "/api/v1/others/streams/cookie"]:
        _, headers, _ = await asked(client, "GET", path)
        assert headers["Cache-Control"] == "no-store", path
    _, jwks, _ = await asked(client, "GET", "/.well-known/jwks.json")
    _, reference, _ = await asked(client, "GET", "/api/docs/openapi.json")
    assert jwks["Cache-Control"] == "public, max-age=300"
    assert reference["Cache-Control"] == "no-cache"


async def test_versioned_files_are_kept_for_good_and_others_are_not(
    client: aiohttp.ClientSession,
) -> None:
    _, _, reference = await asked(client, "GET", "/api/docs")
    _, _, home = await asked(client, "GET", "/")
    links = [
        part for page in (reference, home) for part in page.decode().split('"') if "?v=" in part
    ]

    assert len(links) == 5
    for link in links:
        _, lasting, body = await asked(client, "GET", link)
        _, other, same = await asked(client, "GET", f"{link.partition('?')[0]}?v=older")
        assert lasting["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "immutable" not in other["Cache-Control"]
        assert body == same
        assert lasting["ETag"] == other["ETag"]


async def test_a_second_version_stands_beside_the_first(client: aiohttp.ClientSession) -> None:
    _, _, first = await asked(client, "GET", f"{THINGS}/1")
    _, headers, second = await asked(client, "GET", "/api/v2/things/1")
    status, _, missing = await asked(client, "GET", "/api/v2/nothing")
    refused, _, _ = await asked(client, "GET", "/api/v2/things/1", Accept="text/html")
    _, _, reference = await asked(client, "GET", "/api/docs/openapi.json")

    assert json.loads(first)["data"]["name"] == "Lamp"
    assert json.loads(second)["data"]["name"] == "Lamp 2"
    assert headers["ETag"]
    assert (status, json.loads(missing)["error"]["code"], refused) == (404, "NOT_FOUND", 406)
    assert {f"{THINGS}/{{id}}", "/api/v2/things/{id}"} <= json.loads(reference)["paths"].keys()


async def test_what_is_denied_is_written_down(
    client: aiohttp.ClientSession, clean: None, owner: Any
) -> None:
    who = await register(client)

    async with client.post(DENIED, json={"name": "x"}, headers=bearer(who)) as answer:
        assert answer.status == 403
    status, _, _ = await asked(client, "DELETE", DENIED, **bearer(who))

    rows = await owner.fetch(
        "SELECT actor_id, outcome, facts FROM audit_inbox WHERE action = 'access.denied'"
        " ORDER BY id"
    )
    assert status == 403
    assert [str(row["actor_id"]) for row in rows] == [who["user"]["id"]] * 2
    assert {row["outcome"] for row in rows} == {"denied"}
    routes = [json.loads(row["facts"])["route"] for row in rows]
    assert routes == [f"POST {DENIED}", f"DELETE {DENIED}"]


async def test_a_denial_stays_one_while_the_database_is_away(
    home: Path, make_settings: MakeSettings
) -> None:
    async with (
        own_database(home, make_settings, "denials") as room,
        open_parts(make_settings(**room.urls), name="test", cost=CHEAP) as parts,
        standing(parts) as client,
        room.gone(),
        asyncio.timeout(10),
        client.post(DENIED, json={"name": "x"}) as answer,
    ):
        told = json.loads(await answer.read())

    assert (answer.status, told["error"]["code"]) == (403, "FORBIDDEN")
