"""What content takes and gives."""

from typing import Any, ClassVar

from marshmallow import fields, validate

from api.content.service import NewContent
from api.fields import Id, Line, Prose
from api.filters import choice, identifier, identifiers, person
from api.paging import Lists
from api.schemas import Inbound, Outbound, Replacement, Time
from storage.content import ContentStatus

LISTS = Lists(
    sorts=("createdAt", "updatedAt", "publishedAt", "title"),
    filters={
        "status": choice(*ContentStatus),
        "owner": person("Whose it is; `me` for your own."),
        "team": identifier("Of which team."),
        "id": identifiers("Any of these."),
    },
)

_GIVEN = {
    "title": "Release notes",
    "body": "Sign-in is faster.\n",
    "status": "draft",
    "teamId": None,
}
_SUMMARY = {
    "id": "01935b5c-6d1e-7a3b-8c4d-5e6f708192a3",
    "title": "Release notes",
    "status": "draft",
    "ownerId": "01935b5c-1f00-7c11-9a52-3d4e5f607182",
    "teamId": None,
    "publishedAt": None,
    "version": 1,
    "createdAt": "2026-11-21T10:30:00.000Z",
    "updatedAt": "2026-11-21T10:30:00.000Z",
}


class NewContentSchema(Inbound):
    """A piece of content: only the title is needed."""

    makes = NewContent
    example: ClassVar[dict[str, Any]] = _GIVEN

    title = Line(1, 200, required=True)
    body = Prose(100_000, load_default="")
    status = fields.Enum(ContentStatus, by_value=True, load_default=ContentStatus.DRAFT)
    team_id = Id(load_default=None, allow_none=True, data_key="teamId")


class ContentChangesSchema(Replacement, NewContentSchema):
    """The same for a piece of content that is there: of PUT all of it, of PATCH some."""


class ContentSummarySchema(Outbound):
    """A piece of content without its body."""

    example: ClassVar[dict[str, Any]] = _SUMMARY

    id = fields.UUID(required=True)
    title = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(list(ContentStatus)))
    owner_id = fields.UUID(required=True, data_key="ownerId")
    team_id = fields.UUID(required=True, allow_none=True, data_key="teamId")
    published_at = Time(required=True, allow_none=True, data_key="publishedAt")
    version = fields.Integer(required=True)
    created_at = Time(required=True, data_key="createdAt")
    updated_at = Time(required=True, data_key="updatedAt")


class ContentSchema(ContentSummarySchema):
    """A piece of content."""

    example: ClassVar[dict[str, Any]] = _SUMMARY | {"body": "Sign-in is faster.\n"}

    body = fields.String(required=True)
