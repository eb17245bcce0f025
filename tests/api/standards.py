"""Endpoints of the tests' own: rules of all endpoints are tried on them, whatever ours do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, ClassVar
from uuid import UUID

import aiohttp
from aiohttp import web
from marshmallow import fields

from api.access import Public, SignedIn
from api.app import make_app
from api.context import CALL
from api.deprecations import Deprecations
from api.envelope import Answer
from api.filters import choice, flag, identifiers, word
from api.openapi.document import document
from api.paging import Lists
from api.parts import Parts
from api.problems import Forbidden
from api.routing import MIRRORED, Routes
from api.schemas import Inbound, Outbound, Replacement, Text
from api.serving.child import start
from storage.pages import Cursor, Page, Window
from tests.api.streams import streams
from tests.factories import free_socket

THINGS = "/api/v1/things"
BIG = 2_000
HUGE = 200_000


@dataclass(frozen=True, slots=True)
class Thing:
    """A record with a version."""

    id: str
    name: str
    note: str | None
    version: int


class ThingSchema(Outbound):
    """A thing, as it leaves."""

    example: ClassVar[dict[str, Any]] = {"id": "1", "name": "Lamp", "note": None}

    id = fields.String(required=True)
    name = fields.String(required=True)
    note = fields.String(allow_none=True)


class ThingBody(Replacement):
    """What can be changed of a thing."""

    example: ClassVar[dict[str, Any]] = {"name": "Lamp"}

    name = Text(required=True)
    note = Text(allow_none=True)


class TokenSchema(Outbound):
    """What is told once, deep inside an answer."""

    example: ClassVar[dict[str, Any]] = {"accessToken": "x"}

    token = fields.String(data_key="accessToken")


class KeySchema(Outbound):
    """A secret within a list within a record."""

    example: ClassVar[dict[str, Any]] = {"keys": [{"accessToken": "x"}]}

    keys = fields.List(fields.Nested(TokenSchema))


class NewThing(Inbound):
    """Anything."""

    makes = dict
    example: ClassVar[dict[str, Any]] = {"name": "Lamp"}

    name = Text(required=True)


_LISTS = Lists(
    sorts=("createdAt", "name"),
    filters={
        "role": choice("admin", "user"),
        "verified": flag(),
        "id": identifiers(),
        "name": word(longest=20),
    },
)
LAST = Cursor("2026-11-21 10:30:00+00", UUID("01935b5c-6d1e-7a3b-8c4d-5e6f708192a3"))


def things() -> Routes:
    """Return endpoints that have nothing behind them but a dictionary."""
    first = {"1": Thing("1", "Lamp", "A note", 7), "big": Thing("big", "x" * BIG, None, 1)}
    kept = dict(first)
    routes = Routes(THINGS, tag="Things", aliases=("/api/things",))
    free: dict[str, Any] = {"access": Public(), "limited": False}
    about = free | {"gives": ThingSchema(), "versioned": True}
    listed = free | {"gives": ThingSchema(many=True), "lists": _LISTS}

    @routes.add("GET", "", **listed)
    async def list_things(_: web.Request, window: Window) -> Page[Thing]:
        """List things: what was understood stands in the name."""
        thing = Thing("1", repr(window), None, 1)
        more = window.after is None and window.offset in {0, None}
        return Page(items=[thing], has_next=more, next=LAST if more else None, total=2)

    @routes.add("GET", "/of/{owner}", **listed)
    async def list_things_of(_: web.Request, __: Window) -> Page[Thing]:
        """List somebody's things."""
        return Page(items=[], has_next=True, next=LAST, total=2)

    @routes.add("GET", "/{id}", **about)
    async def get_thing(request: web.Request) -> Thing:
        """Get a thing."""
        return kept[request.match_info["id"]]

    @routes.add("POST", "/again", **free)
    async def begin_again(_: web.Request) -> None:
        """Let things be as they were."""
        kept.update(first)

    async def change(request: web.Request, body: dict[str, Any]) -> Thing:
        """Change a thing."""
        found = kept[request.match_info["id"]]
        request[CALL].check_version(found.version)
        kept[found.id] = replace(found, **body, version=found.version + 1)
        return kept[found.id]

    routes.add("PATCH", "/{id}", takes=ThingBody(partial=True), **about)(change)
    routes.add("PUT", "/{id}", takes=ThingBody(), **about)(change)
    return routes


def others() -> Routes:
    """Return endpoints each of which has something of its own."""
    routes = Routes("/api/v1/others", tag="Others")
    free: dict[str, Any] = {"access": Public(), "limited": False}

    @routes.add("GET", "/{size}", **free)
    async def get_text(request: web.Request) -> Answer:
        """Get so much text."""
        return Answer(data={"text": "x" * int(request.match_info["size"])})

    @routes.add("GET", "/secrets/nested", **free, gives=KeySchema())
    async def get_keys(_: web.Request) -> Answer:
        """Get what somebody could guess by its length."""
        return Answer(data={"keys": [{"token": "x" * BIG}]})

    @routes.add("GET", "/secrets/mirrored", **free, mirrored=MIRRORED)
    async def get_tokens(_: web.Request) -> Answer:
        """Get the same at the top."""
        return Answer(data={"accessToken": "x" * BIG})

    @routes.add("POST", "/denied", **free, takes=NewThing(), status=HTTPStatus.CREATED)
    async def deny(_: web.Request, __: dict[str, Any]) -> None:
        """Do what nobody may."""
        raise Forbidden

    @routes.add("DELETE", "/denied", access=SignedIn())
    async def deny_too(_: web.Request) -> None:
        """Do another thing that nobody may."""
        raise Forbidden

    return routes


def next_version() -> Routes:
    """Return what the next version of the API may look like, beside the first."""
    routes = Routes("/api/v2/things", tag="Things 2")

    @routes.add("GET", "/{id}", access=Public(), gives=ThingSchema(), versioned=True)
    async def get_thing_2(_: web.Request) -> Thing:
        """Get a thing of the second kind."""
        return Thing("2", "Lamp 2", None, 1)

    return routes


@asynccontextmanager
async def standing(
    parts: Parts, *, deprecations: Deprecations | None = None
) -> AsyncIterator[aiohttp.ClientSession]:
    """Run a server with these endpoints beside ours; give a client that decodes nothing."""
    also = (things(), others(), streams(), next_version())
    app = await make_app(parts, also=also, deprecations=deprecations or {})
    sock = free_socket()
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    runner, server = await start(app, sock)
    jar = aiohttp.DummyCookieJar()
    try:
        async with aiohttp.ClientSession(url, cookie_jar=jar, auto_decompress=False) as client:
            yield client
    finally:
        server.close()
        await runner.cleanup()


def described(deprecations: Deprecations) -> dict[str, Any]:
    """Return the OpenAPI document of these endpoints."""
    return document([*things().endpoints, *next_version().endpoints], deprecations)


def moment(year: int, month: int = 1) -> datetime:
    """Return the beginning of a month."""
    return datetime(year, month, 1, tzinfo=UTC)
