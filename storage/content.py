"""Content: the documents' protected resource. What a reader may not see is not there for them."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import asyncpg

from ops.errors import Detail, Kind, Problem
from ops.ids import new_id
from storage.pages import Listing, Page, Window, fetch_page

SUMMARY = """
    content.id, content.title, content.status, content.owner_id, content.team_id,
    content.published_at, content.version, content.created_at, content.updated_at
"""

# Whom somebody reads as: themselves, and every team they are in.
READS_AS = """
SELECT ARRAY(SELECT $1::uuid UNION ALL SELECT team_id FROM team_members WHERE user_id = $1)
"""
# What is not published is there only for who reads as ($2) its owner or its team.
THEIRS = "(content.owner_id = ANY($2) OR content.team_id = ANY($2))"
READABLE = f"(content.status = 'published' OR {THEIRS})"

ADD = f"""
INSERT INTO content (id, title, body, status, owner_id, team_id, published_at)
VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $4 = 'published' THEN now() END)
RETURNING {SUMMARY}, content.body
"""  # noqa: S608 - only our own constants are put in

BY_ID = f"""
SELECT {SUMMARY}, content.body FROM content
WHERE content.id = $1 AND ($2::uuid[] IS NULL OR {READABLE})
"""  # noqa: S608

LOCK = f"{BY_ID} FOR UPDATE"

CHANGE = f"""
UPDATE content SET title = $2, body = $3, status = $4, team_id = $5,
    published_at = coalesce(published_at, CASE WHEN $4 = 'published' THEN now() END),
    version = version + 1, updated_at = now()
WHERE id = $1
RETURNING {SUMMARY}, content.body
"""  # noqa: S608

REMOVE = "DELETE FROM content WHERE id = $1"

SEARCHED_OF_TEAM = """
SELECT coalesce(sum(octet_length(search_text) + 100), 0) FROM content WHERE team_id = $1
"""

LIST = Listing(
    select=f"SELECT {SUMMARY}, ({{order}})::text AS sort_value FROM {{rows}}",  # noqa: S608
    table="content",
    orders={
        "createdAt": "content.created_at",
        "updatedAt": "content.updated_at",
        "publishedAt": "coalesce(content.published_at, '-infinity')",
        "title": "lower(content.title)",
    },
    conditions={
        "readable": READABLE.replace("$2", "$?"),
        "theirs": THEIRS.replace("$2", "$?"),
        "status": "content.status = $?",
        "owner": "content.owner_id = $?",
        "team": "content.team_id = $?",
        "id": "content.id = ANY($?)",
    },
    alphabetical=frozenset({"title"}),
)


class ContentStatus(StrEnum):
    """Where a piece of content is in its life: only what is published is for everybody."""

    DRAFT = "draft"
    PUBLISHED = "published"
    ARCHIVED = "archived"


class ContentNotFound(Problem, kind=Kind.NOT_FOUND, code="NOT_FOUND"):
    """There is no such content."""


class NotYourTeam(Problem, kind=Kind.UNPROCESSABLE, code="UNPROCESSABLE_ENTITY"):
    """Content goes to a team you are in, or to none. Choose another team."""

    def __init__(self) -> None:
        super().__init__(details=[Detail("teamId", "You are in no such team.")])


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentSummary:
    """A piece of content without its body, which is a hundred times the rest."""

    id: UUID
    title: str
    status: str
    owner_id: UUID
    team_id: UUID | None
    # When it was published first.
    published_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentItem(ContentSummary):
    """A piece of content."""

    body: str


class Content:
    """Pieces of content. `reader` is who they are read for; None reads everything."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def add(
        self, *, title: str, body: str, status: str, owner_id: UUID, team_id: UUID | None
    ) -> ContentItem:
        """Insert a piece of content; raise NotYourTeam when there is no such team."""
        return await self._write(ADD, new_id(), title, body, status, owner_id, team_id)

    async def searched_of_team(self, team_id: UUID) -> int:
        """Return how many bytes of a team's content are searched: what changing all of it costs.

        Each piece counts for 100 more.
        """
        return int(await self._connection.fetchval(SEARCHED_OF_TEAM, team_id))

    async def page(self, window: Window, *, reader: UUID | None) -> Page[ContentSummary]:
        """Return a part of the list.

        Filters: `status`, `owner` and `team` by id, `id` any of several.
        """
        if reader:
            # Drafts are found by whose they are, not by walking past all that others published.
            public = window.filters.get("status", "published") == ContentStatus.PUBLISHED
            rule = {"readable" if public else "theirs": await self._reads_as(reader)}
            window = replace(window, filters={**window.filters, **rule})
        return await fetch_page(self._connection, LIST, window, ContentSummary)

    async def by_id(self, item_id: UUID, *, reader: UUID | None) -> ContentItem:
        """Return a piece of content, or raise ContentNotFound."""
        return await self._one(BY_ID, item_id, reader)

    async def lock(self, item_id: UUID, *, reader: UUID | None) -> ContentItem:
        """Return it as nobody else can change it until the transaction ends."""
        return await self._one(LOCK, item_id, reader)

    async def change(self, item: ContentItem) -> ContentItem:
        """Write title, body, status and team of a locked one; raise NotYourTeam as `add` does."""
        return await self._write(CHANGE, item.id, item.title, item.body, item.status, item.team_id)

    async def remove(self, item_id: UUID) -> None:
        """Delete a piece of content."""
        await self._connection.execute(REMOVE, item_id)

    async def _reads_as(self, reader: UUID) -> list[UUID]:
        found: list[UUID] = await self._connection.fetchval(READS_AS, reader)
        return found

    async def _one(self, statement: str, item_id: UUID, reader: UUID | None) -> ContentItem:
        reads_as = await self._reads_as(reader) if reader else None
        row = await self._connection.fetchrow(statement, item_id, reads_as)
        if row is None:
            raise ContentNotFound
        return ContentItem(**row)

    async def _write(self, statement: str, *values: Any) -> ContentItem:
        try:
            return ContentItem(**await self._connection.fetchrow(statement, *values))
        except asyncpg.ForeignKeyViolationError as error:
            raise NotYourTeam from error
