"""Endpoints of the tests' own that write their answers themselves."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from aiohttp import web

from api.access import Public
from api.routing import Routes
from api.streams import stream

_PART = b"x" * 2_000


def streams() -> Routes:
    """Return endpoints whose answers are made by themselves, at once or part by part."""
    routes = Routes("/api/v1/others/streams", tag="Others")
    free: dict[str, Any] = {"access": Public(), "limited": False}

    @routes.add("GET", "/cookie", **free)
    async def get_cookie(_: web.Request) -> web.Response:
        """Get a cookie."""
        response = web.json_response({"text": _PART.decode()})
        response.set_cookie("name", "value")
        return response

    @routes.add("GET", "/events", **free)
    async def get_events(request: web.Request) -> web.StreamResponse:
        """Get events as they come."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for _ in range(3):
            await response.write(b"data: " + _PART + b"\n\n")
        return response

    @routes.add("GET", "/left", **free)
    async def get_left(request: web.Request) -> web.StreamResponse:
        """Get what ends when whoever asked for it has left."""
        return await stream(request, web.StreamResponse(), _until_left(request))

    return routes


async def _until_left(request: web.Request) -> AsyncGenerator[bytes, None]:
    yield _PART
    while request.transport and not request.transport.is_closing():  # noqa: ASYNC110 - tells nobody
        await asyncio.sleep(0.01)
