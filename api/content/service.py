"""Rules of content: who may read, write and publish it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from api.context import Call, Principal
from api.filters import ME
from api.problems import Forbidden
from storage.content import ContentItem, ContentStatus, ContentSummary, NotYourTeam
from storage.database import Database
from storage.pages import Page, Window
from storage.repositories import Storage
from storage.roles import Permission

# What the audit trail says of a status that content comes to.
_ENTERED = {
    ContentStatus.DRAFT: "content.unpublished",
    ContentStatus.PUBLISHED: "content.published",
    ContentStatus.ARCHIVED: "content.archived",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContent:
    """A piece of content to create."""

    title: str
    body: str
    status: ContentStatus
    team_id: UUID | None


class ContentService:
    """Shows, creates, changes and deletes pieces of content."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def page(self, window: Window, principal: Principal) -> Page[ContentSummary]:
        """List what the caller may read."""
        if window.filters.get("owner") == ME:
            window = replace(window, filters={**window.filters, "owner": principal.user_id})
        async with self._database.reading() as storage:
            return await storage.content.page(window, reader=_reader(principal))

    async def get(self, item_id: UUID, principal: Principal) -> ContentItem:
        """Return a piece of content; raise ContentNotFound, also for what is not theirs to read."""
        async with self._database.reading() as storage:
            return await storage.content.by_id(item_id, reader=_reader(principal))

    async def create(self, new: NewContent, principal: Principal, call: Call) -> ContentItem:
        """Create a piece of content, the caller's own; raise NotYourTeam."""
        if call.claim and call.claim.result:
            return await self.get(UUID(call.claim.result["id"]), principal)
        async with self._database.transaction(call.actor) as storage:
            await _check_team(storage, new.team_id, principal)
            item = await storage.content.add(
                title=new.title,
                body=new.body,
                status=new.status,
                owner_id=principal.user_id,
                team_id=new.team_id,
            )
            await storage.audit.note("content.created", subject=item.id)
            if new.status is not ContentStatus.DRAFT:
                await storage.audit.note(_ENTERED[new.status], subject=item.id)
            await storage.idempotency.keep({"id": item.id})
            return item

    async def change(
        self, item_id: UUID, given: Mapping[str, Any], principal: Principal, call: Call
    ) -> ContentItem:
        """Change what differs from what is given; where nothing does, nothing happens.

        Raises ContentNotFound, Forbidden, PreconditionFailed, NotYourTeam.
        """
        async with self._database.transaction(call.actor) as storage:
            item = await _locked(storage, item_id, principal, Permission.CONTENT_UPDATE)
            call.check_version(item.version)
            changes = {name: value for name, value in given.items() if value != getattr(item, name)}
            if not changes:
                return item
            await _check_team(storage, changes.get("team_id"), principal)
            changed = await storage.content.change(replace(item, **changes))
            names = ",".join(sorted(changes))
            await storage.audit.note("content.changed", subject=item_id, fields=names)
            if "status" in changes:
                await storage.audit.note(_ENTERED[changes["status"]], subject=item_id)
            return changed

    async def delete(self, item_id: UUID, principal: Principal, call: Call) -> None:
        """Delete a piece of content; raise ContentNotFound, Forbidden, PreconditionFailed."""
        async with self._database.transaction(call.actor) as storage:
            item = await _locked(storage, item_id, principal, Permission.CONTENT_DELETE)
            call.check_version(item.version)
            await storage.content.remove(item_id)
            await storage.audit.note("content.deleted", subject=item_id)


def _reader(principal: Principal) -> UUID | None:
    """Return whose rights to read count; None for who may change everything: nothing is hidden."""
    return None if principal.may(Permission.CONTENT_UPDATE) else principal.user_id


async def _locked(
    storage: Storage, item_id: UUID, principal: Principal, everything: Permission
) -> ContentItem:
    """Lock what the caller owns, or has permission over `everything` for.

    Raises ContentNotFound for what they may not read, Forbidden for what they may only read.
    """
    item = await storage.content.lock(item_id, reader=_reader(principal))
    if item.owner_id != principal.user_id and not principal.may(everything):
        raise Forbidden("Only its owner may do that.")
    return item


async def _check_team(storage: Storage, team_id: UUID | None, principal: Principal) -> None:
    """Raise NotYourTeam unless the caller may put content into that team, if it is there."""
    if team_id is None or principal.may(Permission.TEAMS_MANAGE):
        return
    if await storage.teams.member(team_id, principal.user_id) is None:
        raise NotYourTeam
