"""HTTP itself: bodies, headers, paths and slow clients, each with an answer of the contract."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from api.serving import connection
from tests.conftest import Serve
from tests.factories import new_user

REGISTER = "/api/v1/auth/register"
JSON = {"Content-Type": "application/json"}


async def post(
    api: aiohttp.ClientSession, body: bytes, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    async with api.post(REGISTER, data=body, headers=JSON | (headers or {})) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"nonsense", b"\xff\xfe", b'{"a": NaN}', b'{"a": Infinity}', b'{"a": 1e999}',
        b'{"email": "a@b.c", "email": "d@e.f"}', b'{"a": "\\u0000"}', b'{"\\u0000": 1}',
        b'{"a": "\\ud800"}', b'{"a": "\xed\xa0\x80"}', b"[" * 33 + b"]" * 33, b'{"a":' * 40,
        b'{"a": "' + b"\\" * 3, b"1" * 5_000, b"[" * 60_000, b'{"a": "\x00"}', b"\xef\xbb\xbf{}",
        b'{"a": 1}{"b": 2}', b"'a'", b"{a: 1}",
    ],
)  # fmt: skip
async def test_what_is_not_strict_json_is_a_bad_request(
    api: aiohttp.ClientSession, body: bytes
) -> None:
    status, told = await post(api, body)

    assert status == 400
    assert told["error"]["code"] in {"BAD_REQUEST", "VALIDATION_ERROR"}
    assert told["success"] is False


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"text"', b"true", b"[{}]"])
async def test_json_that_is_no_object_is_invalid(api: aiohttp.ClientSession, body: bytes) -> None:
    status, told = await post(api, body)

    assert status == 400
    assert told["error"]["code"] == "VALIDATION_ERROR"


async def test_nesting_inside_strings_is_no_nesting(api: aiohttp.ClientSession) -> None:
    body = new_user(firstName="Ada" + "[{" * 20)

    status, told = await post(api, json.dumps(body).encode())

    assert status == 201, told


async def test_bodies_above_the_limit_are_refused_announced_or_not(
    api: aiohttp.ClientSession,
) -> None:
    large = b'{"email": "' + b"x" * 70_000 + b'"}'

    async def streamed() -> Any:
        yield large[:30_000]
        yield large[30_000:]

    status, told = await post(api, large)
    assert (status, told["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")

    async with api.post(REGISTER, data=streamed(), headers=JSON) as answer:
        assert answer.status == 413


async def test_other_media_types_and_encodings_are_unsupported(api: aiohttp.ClientSession) -> None:
    body = json.dumps(new_user()).encode()
    wrong = [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/jsonp"},
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "br"},
    ]
    for headers in wrong:
        status, told = await post(api, body, headers)
        assert (status, told["error"]["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE"), headers


async def test_unknown_paths_and_methods_answer_in_shape(api: aiohttp.ClientSession) -> None:
    async with api.get("/api/v1/nothing") as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (404, "NOT_FOUND")
    async with api.delete(REGISTER) as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "OPTIONS, POST"
        assert (await answer.json())["error"]["code"] == "METHOD_NOT_ALLOWED"
    for path in ("/api/v1/%00", "/api/v1/%ff", "/../../etc/passwd", "/api//v1", "/%2e%2e/x"):
        async with api.get(path) as answer:
            assert answer.status == 404, path


async def test_an_answer_nobody_accepts_is_not_acceptable(api: aiohttp.ClientSession) -> None:
    async with api.get("/api/v1/auth/me", headers={"Accept": "text/html"}) as answer:
        assert answer.status == 406
    async with api.get("/api/v1/auth/me", headers={"Accept": "text/html, */*;q=0.1"}) as answer:
        assert answer.status == 401


async def test_sane_request_ids_are_kept_and_others_replaced(api: aiohttp.ClientSession) -> None:
    async with api.get("/health", headers={"X-Request-Id": "my-id.1"}) as answer:
        assert answer.headers["X-Request-Id"] == "my-id.1"
        assert (await answer.json())["meta"]["requestId"] == "my-id.1"
    for insane in ("a b", "x" * 200, "-x", "\u00e4", "<script>"):
        value = insane.encode().decode("latin-1")
        async with api.get("/health", headers={"X-Request-Id": value}) as answer:
            assert answer.headers["X-Request-Id"].startswith("req_")


async def test_every_answer_carries_the_security_headers(api: aiohttp.ClientSession) -> None:
    for path in ("/health", "/api/v1/auth/me", "/nothing", "/", "/api/docs"):
        async with api.get(path) as answer:
            headers = answer.headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["X-Request-Id"]
        assert headers["Server"] == "ostiary"
        assert "unsafe" not in headers["Content-Security-Policy"]


async def test_hsts_is_for_production_only(serve: Serve) -> None:
    production = await serve(
        environment="production",
        public_url="https://auth.example.com",
        smtp_url="smtp://localhost:2525",
    )
    development = await serve()

    async with production.get("/health") as answer:
        assert "max-age=" in answer.headers["Strict-Transport-Security"]
    async with development.get("/health") as answer:
        assert "Strict-Transport-Security" not in answer.headers
    async with production.get("/dev/mailbox") as answer:
        assert answer.status == 404


async def test_only_listed_origins_are_let_in(serve: Serve) -> None:
    api = await serve(allowed_origins="https://app.example.com")
    ask = {"Access-Control-Request-Method": "POST"}
    for origin, welcome in (
        ("https://app.example.com", True),
        ("https://app.example.com.evil.example", False),
        ("http://app.example.com", False),
        ("null", False),
    ):
        async with api.options(REGISTER, headers={"Origin": origin} | ask) as answer:
            assert answer.status == 204
            assert ("Access-Control-Allow-Origin" in answer.headers) is welcome, origin
            assert "Origin" in answer.headers["Vary"]
        async with api.get("/health", headers={"Origin": origin}) as answer:
            assert ("Access-Control-Allow-Origin" in answer.headers) is welcome, origin


async def test_a_wildcard_never_comes_with_credentials(serve: Serve) -> None:
    api = await serve(allowed_origins="*")

    async with api.get("/health", headers={"Origin": "https://anywhere.example"}) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_idempotency_keys_must_be_sane(api: aiohttp.ClientSession) -> None:
    for key in ("", "a b", "x" * 256):
        status, _ = await post(api, json.dumps(new_user()).encode(), {"Idempotency-Key": key})
        assert status == 400, key


async def raw(url: str, *chunks: bytes) -> bytes:
    """Send bytes as they are, return everything that comes back until the end."""
    port = int(url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for chunk in chunks:
        writer.write(chunk)
        await writer.drain()
    async with asyncio.timeout(20):
        told = await reader.read()
    writer.close()
    return told


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n",
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 500 + b"\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_in_shape_and_not_repeated(
    api: aiohttp.ClientSession, server_url: str, request_: bytes
) -> None:
    told = await raw(server_url, request_)

    head, _, body = told.partition(b"\r\n\r\n")
    assert head[:12] in {b"HTTP/1.1 400", b"HTTP/1.0 400"}
    assert json.loads(body)["error"]["code"] == "BAD_REQUEST"
    assert b"Python" not in head
    assert b"y" * 50 not in body


async def test_a_connection_that_never_finishes_its_headers_is_closed(
    api: aiohttp.ClientSession, server_url: str
) -> None:
    started = asyncio.get_running_loop().time()

    told = await raw(server_url, b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow:")

    seconds = asyncio.get_running_loop().time() - started
    assert told == b""
    assert connection.HEADER_SECONDS - 1 < seconds < connection.HEADER_SECONDS + 5


async def test_pipelined_requests_are_answered_in_order(
    api: aiohttp.ClientSession, server_url: str
) -> None:
    first = b"GET /health HTTP/1.1\r\nHost: x\r\nX-Request-Id: one\r\n\r\n"
    last = b"GET /health HTTP/1.1\r\nHost: x\r\nX-Request-Id: two\r\nConnection: close\r\n\r\n"

    told = await raw(server_url, first + last)

    assert told.count(b"HTTP/1.1 200") == 2
    assert told.index(b"one") < told.index(b"two")


async def test_a_head_request_tells_the_headers_only(api: aiohttp.ClientSession) -> None:
    async with api.head("/health") as answer:
        assert answer.status == 200
        assert await answer.read() == b""


async def test_nothing_a_client_sends_ends_in_a_server_error(serve: Serve) -> None:
    api = await serve(rate_limit_anonymous="off", rate_limit_auth_failures="off")
    values: list[Any] = ["", "x", 0, -1, 1e308, 2**70, True, None, [], {}, "\u202e", "\\"]
    values += ["\ufffd" * 99, ["a"] * 50, {"a": {"b": []}}, "' OR 1=1 --", "${7*7}{{7*7}}", "%00"]
    names = ["email", "password", "firstName", "lastName", "token", "code", "role", "id", "\u00e4"]
    paths = [REGISTER, "/api/v1/auth/login", "/api/v1/auth/verify-email", "/auth/login"]
    statuses = set()
    for path in paths:
        for name in names:
            for value in values:
                async with api.post(path, json={name: value}) as answer:
                    statuses.add(answer.status)

    assert statuses <= {400, 401}
