"""gzip: for whoever takes it, from 1 KiB up, and never where length tells a secret."""

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from yarl import URL

from api.parts import Parts
from tests.api.standards import HUGE, THINGS, standing
from tests.factories import new_user

GZIP = {"Accept-Encoding": "gzip"}
TEXT = "/api/v1/others"


@pytest.fixture(scope="module")
async def client(parts: Parts) -> AsyncIterator[aiohttp.ClientSession]:
    async with standing(parts) as found:
        yield found


async def asked(
    client: aiohttp.ClientSession, path: str, method: str = "GET", **headers: str
) -> tuple[int, Any, bytes]:
    """Ask with these headers and no Accept-Encoding but theirs."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    skipped = ("Accept-Encoding",)
    async with client.request(method, path, headers=sent, skip_auto_headers=skipped) as answer:
        return answer.status, answer.headers, await answer.read()


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True), ("GZIP", True), ("x-gzip", True), ("*", True), ("br, gzip;q=0.1", True),
        ("deflate, gzip", True), ("gzip;q=1.000", True), ("gzip; q=0.001", True), ("br, *", True),
        ("gzip;q=0", False), ("gzip;q=0.0", False), ("gzip; q=0.000", False), ("*;q=0", False),
        ("gzip;q=0, *", False), ("br", False), ("identity", False), ("", False),
        ("gzipped", False), ("gzip ;Q=0", False),
    ],
)  # fmt: skip
async def test_who_takes_gzip_gets_it_and_nobody_else(
    client: aiohttp.ClientSession, accepted: str, *, packed: bool
) -> None:
    status, headers, body = await asked(client, f"{TEXT}/2000", Accept_Encoding=accepted)

    assert status == 200
    assert (headers.get("Content-Encoding") == "gzip") is packed
    assert headers["Vary"] == "Accept-Encoding, X-No-Compression"
    assert int(headers["Content-Length"]) == len(body)
    told = json.loads(gzip.decompress(body) if packed else body)
    assert told["data"]["text"] == "x" * 2000


async def test_who_says_nothing_or_opts_out_gets_bytes_as_they_are(
    client: aiohttp.ClientSession,
) -> None:
    _, plain, _ = await asked(client, f"{TEXT}/2000")
    _, opted_out, _ = await asked(client, f"{TEXT}/2000", x_no_compression="1", **_wire(GZIP))

    for headers in (plain, opted_out):
        assert "Content-Encoding" not in headers
        assert "Accept-Encoding" in headers["Vary"]


def _wire(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in headers.items()}


async def test_small_answers_stay_as_they_are_and_do_not_vary(
    client: aiohttp.ClientSession,
) -> None:
    _, small, body = await asked(client, f"{TEXT}/10", **_wire(GZIP))
    least = 1024 - (len(body) - 10)
    _, below, _ = await asked(client, f"{TEXT}/{least - 1}", **_wire(GZIP))
    _, exact, _ = await asked(client, f"{TEXT}/{least}", **_wire(GZIP))

    for headers in (small, below):
        assert "Content-Encoding" not in headers
        assert "Vary" not in headers
    assert exact["Content-Encoding"] == "gzip"


async def test_large_answers_are_compressed_like_small_ones(client: aiohttp.ClientSession) -> None:
    _, headers, body = await asked(client, f"{TEXT}/{HUGE}", **_wire(GZIP))

    assert int(headers["Content-Length"]) == len(body) < 3_000
    assert len(json.loads(gzip.decompress(body))["data"]["text"]) == HUGE


@pytest.mark.parametrize(
    "path", [f"{TEXT}/secrets/nested", f"{TEXT}/secrets/mirrored", f"{TEXT}/streams/cookie"]
)
async def test_what_carries_secrets_is_never_compressed(
    client: aiohttp.ClientSession, path: str
) -> None:
    _, headers, body = await asked(client, path, **_wire(GZIP))

    assert len(body) > 2_000
    assert "Content-Encoding" not in headers
    assert "Vary" not in headers


async def test_answers_with_tokens_tell_everybody_on_the_way_not_to_touch_them(
    client: aiohttp.ClientSession,
) -> None:
    async with client.post("/api/v1/auth/register", json=new_user(), headers=GZIP) as answer:
        assert answer.status == 201
        assert answer.headers["Cache-Control"] == "no-store, no-transform"
        assert "Content-Encoding" not in answer.headers
        assert b'"accessToken"' in await answer.read()


async def test_forms_are_never_compressed(client: aiohttp.ClientSession) -> None:
    status, headers, body = await asked(client, "/verify-email?token=abc", **_wire(GZIP))
    _, errors, long_page = await asked(client, "/api/docs/errors", **_wire(GZIP))

    assert status == 200
    assert b"<form" in body
    assert "Content-Encoding" not in headers
    assert len(long_page) > 1024
    assert "Content-Encoding" not in errors


async def test_streams_are_not_held_back_to_be_compressed(client: aiohttp.ClientSession) -> None:
    _, headers, body = await asked(client, f"{TEXT}/streams/events", **_wire(GZIP))

    assert "Content-Encoding" not in headers
    assert body.startswith(b"data: x")


async def test_whoever_leaves_before_the_end_of_a_stream_leaves_no_error_behind(
    client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    port = URL(str(client._base_url)).port
    before = len(asyncio.all_tasks())
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"GET {TEXT}/streams/left HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n"
    writer.write(head.encode())

    begun = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    async with asyncio.timeout(10):
        while len(asyncio.all_tasks()) > before:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)

    assert b"Content-Encoding: gzip" in begun
    assert [item.getMessage() for item in caplog.records if item.levelno >= logging.ERROR] == []


async def test_long_errors_are_compressed_too(client: aiohttp.ClientSession) -> None:
    unknown = "&".join(f"wrong{number}=1" for number in range(9))

    status, headers, body = await asked(client, f"{THINGS}?{unknown}", **_wire(GZIP))

    assert status == 400
    assert headers["Content-Encoding"] == "gzip", body
    assert len(json.loads(gzip.decompress(body))["error"]["details"]) == 9


async def test_a_compressed_record_has_a_tag_of_its_own_that_works_like_the_other(
    client: aiohttp.ClientSession,
) -> None:
    big = f"{THINGS}/big"
    _, plain, _ = await asked(client, big)
    _, packed, _ = await asked(client, big, **_wire(GZIP))

    assert packed["ETag"] == plain["ETag"][:-1] + '-gzip"'
    for known in (plain["ETag"], packed["ETag"], f"W/{packed['ETag']}"):
        status, headers, body = await asked(client, big, If_None_Match=known, **_wire(GZIP))
        assert (status, body) == (304, b"")
        assert headers["ETag"] == packed["ETag"]
        assert headers["Vary"] == packed["Vary"]
        assert headers["Cache-Control"] == packed["Cache-Control"] == "no-store"
        assert "Content-Encoding" not in headers
        status, headers, _ = await asked(client, big, If_None_Match=known)
        assert (status, headers["ETag"]) == (304, plain["ETag"])
    changed = client.patch(big, json={"note": "n"}, headers={"If-Match": packed["ETag"]})
    async with changed as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    "path", [f"{TEXT}/2000", f"{THINGS}/big", "/api/docs/openapi.json", f"{TEXT}/10"]
)
@pytest.mark.parametrize("headers", [GZIP, {}])
async def test_head_tells_the_same_headers(
    client: aiohttp.ClientSession, path: str, headers: dict[str, str]
) -> None:
    _, got, _ = await asked(client, path, **_wire(headers))
    status, told, body = await asked(client, path, "HEAD", **_wire(headers))

    assert (status, body) == (200, b"")
    # The request id and the time within a body make a few bytes' difference once compressed.
    assert abs(int(told["Content-Length"]) - int(got["Content-Length"])) < 16
    differing = {"Date", "X-Request-ID", "RateLimit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}
    differing |= {"Content-Length"} if headers else set()
    assert {name: value for name, value in told.items() if name not in differing} == {
        name: value for name, value in got.items() if name not in differing
    }


async def test_files_of_the_reference_come_compressed_and_are_known_again(
    client: aiohttp.ClientSession,
) -> None:
    for path in ("/api/docs/openapi.json", "/api/docs/static/swagger-ui-bundle.js"):
        _, plain, whole = await asked(client, path)
        _, packed, body = await asked(client, path, **_wire(GZIP))

        assert gzip.decompress(body) == whole
        assert len(body) < len(whole) / 3
        assert packed["ETag"] == plain["ETag"][:-1] + '-gzip"'
        status, headers, _ = await asked(client, path, If_None_Match=packed["ETag"], **_wire(GZIP))
        assert (status, headers["ETag"], headers["Vary"]) == (304, packed["ETag"], packed["Vary"])
    _, refused, _ = await asked(client, path, Accept_Encoding="gzip;q=0")
    assert "Content-Encoding" not in refused
