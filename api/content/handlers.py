"""Endpoints of content."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

from aiohttp import web

from api.access import Needs, principal_of
from api.content.schemas import (
    LISTS,
    ContentChangesSchema,
    ContentSchema,
    ContentSummarySchema,
    NewContentSchema,
)
from api.content.service import ContentService, NewContent
from api.context import CALL
from api.envelope import Answer
from api.ids import id_of
from api.routing import BASE, Routes
from storage.content import ContentItem, ContentNotFound, ContentSummary, NotYourTeam
from storage.pages import Page, Window
from storage.roles import Permission

CONTENT = web.AppKey("content", ContentService)

routes = Routes(f"{BASE}/content", tag="Content", aliases=("/api/content",))

_READS = Needs(Permission.CONTENT_READ)
_CREATES = Needs(Permission.CONTENT_CREATE)
_CHANGES = Needs(Permission.CONTENT_UPDATE, own=Permission.CONTENT_UPDATE_OWN)
_DELETES = Needs(Permission.CONTENT_DELETE, own=Permission.CONTENT_DELETE_OWN)


@routes.add("GET", "", access=_READS, gives=ContentSummarySchema(many=True), lists=LISTS)
async def list_content(request: web.Request, window: Window) -> Page[ContentSummary]:
    """List content, without bodies.

    What is published, your own, and your teams'; with the permission `content:update` everything.
    `search` looks at titles and the first 10,000 characters of bodies.
    """
    return await request.app[CONTENT].page(window, principal_of(request))


@routes.add(
    "POST",
    "",
    access=_CREATES,
    takes=NewContentSchema(),
    gives=ContentSchema(),
    status=HTTPStatus.CREATED,
    problems=(ContentNotFound, NotYourTeam),
    idempotent=True,
    versioned=True,
)
async def create_content(request: web.Request, body: NewContent) -> Answer:
    """Create a piece of content of your own."""
    item = await request.app[CONTENT].create(body, principal_of(request), request[CALL])
    return Answer(data=item, location=f"{routes.prefix}/{item.id}")


@routes.add(
    "GET",
    "/{id}",
    access=_READS,
    gives=ContentSchema(),
    problems=(ContentNotFound,),
    versioned=True,
)
async def get_content(request: web.Request) -> ContentItem:
    """Get a piece of content.

    Drafts and what is archived are there for their owner, the members of their team, and whoever
    has the permission `content:update`.
    """
    return await request.app[CONTENT].get(_id_of(request), principal_of(request))


@routes.add(
    "PUT",
    "/{id}",
    access=_CHANGES,
    takes=ContentChangesSchema(),
    gives=ContentSchema(),
    problems=(ContentNotFound, NotYourTeam),
    versioned=True,
)
async def replace_content(request: web.Request, body: Mapping[str, Any]) -> ContentItem:
    """Replace title, body, status and team of a piece of content.

    What is left out is as of new content: without `status` it becomes a draft.
    """
    return await _changed(request, body)


@routes.add(
    "PATCH",
    "/{id}",
    access=_CHANGES,
    takes=ContentChangesSchema(partial=True),
    gives=ContentSchema(),
    problems=(ContentNotFound, NotYourTeam),
    versioned=True,
)
async def change_content(request: web.Request, body: Mapping[str, Any]) -> ContentItem:
    """Change some of title, body, status and team.

    `{"status": "published"}` publishes it, `{"teamId": null}` takes it from its team.
    """
    return await _changed(request, body)


@routes.add("DELETE", "/{id}", access=_DELETES, problems=(ContentNotFound,), versioned=True)
async def delete_content(request: web.Request) -> Answer:
    """Delete a piece of content for good."""
    await request.app[CONTENT].delete(_id_of(request), principal_of(request), request[CALL])
    return Answer(message="Content deleted")


async def _changed(request: web.Request, given: Mapping[str, Any]) -> ContentItem:
    return await request.app[CONTENT].change(
        _id_of(request), given, principal_of(request), request[CALL]
    )


def _id_of(request: web.Request) -> UUID:
    return id_of(request.match_info["id"], ContentNotFound)
