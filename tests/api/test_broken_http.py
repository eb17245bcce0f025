"""Answers to what is no HTTP: they have what every answer has, and say what is too long."""

import json
from typing import Any

import aiohttp
import pytest

from tests.api.test_http import raw
from tests.conftest import Serve

BROKEN = [
    b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 9_000 + b"\r\n\r\n",
    b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"nonsense\r\n\r\n",
]


async def sent(url: str, request: bytes) -> tuple[dict[str, str], dict[str, Any]]:
    """Send bytes as they are; return the headers and the body that come back."""
    head, _, body = (await raw(url, request)).partition(b"\r\n\r\n")
    lines = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
    assert len({name for name, _, _ in lines}) == len(lines)
    return {name.lower(): value for name, _, value in lines}, json.loads(body)


@pytest.mark.parametrize("request_", BROKEN)
async def test_what_is_no_http_gets_the_headers_of_every_answer(
    api: aiohttp.ClientSession, server_url: str, request_: bytes
) -> None:
    headers, told = await sent(server_url, request_)
    _, again = await sent(server_url, request_)

    async with api.get("/health") as answer:
        usual = {name.lower() for name in answer.headers}
    assert usual - {"vary"} <= headers.keys()
    assert headers["x-request-id"] == told["meta"]["requestId"] != again["meta"]["requestId"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["server"] == "ostiary"
    assert headers["cache-control"] == "no-store"


async def test_what_is_no_http_is_told_of_https_in_production(serve: Serve) -> None:
    production = await serve(
        environment="production",
        public_url="https://auth.example.com",
        smtp_url="smtp://localhost:2525",
    )

    headers, _ = await sent(str(production._base_url).rstrip("/"), BROKEN[0])

    assert "max-age=" in headers["strict-transport-security"]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (BROKEN[0], "The address or a header of the request is longer than 8190 bytes."),
        (BROKEN[1], "The address or a header of the request is longer than 8190 bytes."),
        (BROKEN[2], "The request is not valid HTTP."),
    ],
)
async def test_what_is_too_long_is_said_to_be(
    api: aiohttp.ClientSession, server_url: str, request_: bytes, message: str
) -> None:
    _, told = await sent(server_url, request_)

    assert (told["error"]["code"], told["error"]["message"]) == ("BAD_REQUEST", message)
