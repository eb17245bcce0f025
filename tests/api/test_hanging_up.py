"""Clients that go away in the middle of what they say."""

import asyncio
import socket
import struct

import aiohttp
import pytest

from api.parts import Parts

_HEAD = (
    b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 50\r\n\r\n"
)


def counted(parts: Parts, code: str) -> float:
    return parts.metrics.registry.get_sample_value("ostiary_problems_total", {"code": code}) or 0


# Reset at once, or closed in order.
@pytest.mark.parametrize("linger", [(1, 0), (0, 0)], ids=["reset", "closed"])
async def test_who_hangs_up_in_a_body_made_a_bad_request_and_no_error_of_ours(
    api: aiohttp.ClientSession, server_url: str, parts: Parts, linger: tuple[int, int]
) -> None:
    bad, wrong = counted(parts, "BAD_REQUEST"), counted(parts, "INTERNAL_ERROR")

    with socket.create_connection(("127.0.0.1", int(server_url.rpartition(":")[2]))) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", *linger))
        client.sendall(_HEAD + b'{"email":')
        await asyncio.sleep(0.1)  # until the handler waits for the rest
    async with asyncio.timeout(5):
        while (bad, wrong) == (counted(parts, "BAD_REQUEST"), counted(parts, "INTERNAL_ERROR")):  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    assert counted(parts, "INTERNAL_ERROR") == wrong
    assert counted(parts, "BAD_REQUEST") == bad + 1
