"""What pages of a listed origin may send, and what of an answer they may read."""

from http import HTTPMethod
from typing import Any

import aiohttp
import pytest

from tests.conftest import Serve

APP = "https://app.example.com"
ME = "/api/v1/auth/me"
_ASK = {"Origin": APP, "Access-Control-Request-Method": "POST"}
# Beside those that the reference names one by one.
_SENT_EVERYWHERE = {"Authorization", "Content-Type", "Accept", "X-Request-Id", "traceparent"}
_READ = {
    "X-Request-Id", "ETag", "Location", "Retry-After", "RateLimit", "RateLimit-Policy",
    "Deprecation", "Sunset", "Link", "X-RateLimit-Limit", "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
}  # fmt: skip


@pytest.fixture
async def api(serve: Serve) -> aiohttp.ClientSession:
    """Give a server that one page elsewhere may call."""
    return await serve(allowed_origins=APP)


def listed(answer: aiohttp.ClientResponse, what: str) -> set[str]:
    """Return a list of an answer to a page."""
    return set(answer.headers[f"Access-Control-{what}"].split(", "))


def named(operation: dict[str, Any]) -> set[str]:
    """Return the headers that the reference says an endpoint reads."""
    return {item["name"] for item in operation.get("parameters", ()) if item["in"] == "header"}


async def test_pages_may_send_every_method_and_header_of_the_reference(
    api: aiohttp.ClientSession,
) -> None:
    async with api.get("/api/docs/openapi.json") as answer:
        paths = (await answer.json())["paths"].values()
    verbs = {verb.lower() for verb in HTTPMethod}
    known = [(name, item) for path in paths for name, item in path.items() if name in verbs]

    async with api.options(ME, headers=_ASK) as answer:
        methods, headers = listed(answer, "Allow-Methods"), listed(answer, "Allow-Headers")

    assert methods == {name.upper() for name, _ in known}
    assert set().union(*(named(item) for _, item in known)) | _SENT_EVERYWHERE <= headers
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert answer.headers["Access-Control-Max-Age"] == "600"


async def test_pages_may_read_what_answers_tell_in_headers(api: aiohttp.ClientSession) -> None:
    async with api.get(ME, headers={"Origin": APP}) as answer:
        assert listed(answer, "Expose-Headers") == _READ
        assert answer.headers["Access-Control-Allow-Origin"] == APP


async def test_answers_vary_by_origin_beside_what_else_they_vary_by(
    api: aiohttp.ClientSession,
) -> None:
    async with api.get("/api/docs/openapi.json") as answer:
        varies = {name.strip() for name in answer.headers["Vary"].split(",")}

    assert varies == {"Accept-Encoding", "X-No-Compression", "Origin"}
