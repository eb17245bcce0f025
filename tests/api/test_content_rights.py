"""Each permission over content opens what it names: roles of one's own have some without others."""

from typing import Any

import aiohttp
import pytest

from tests.api.holders import holder
from tests.api.pieces import listed, team_of, write
from tests.people import call, person


async def test_who_may_change_everything_deletes_only_what_is_theirs(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await person(api, owner)
    editor = await holder(
        api, owner, "content:read", "content:create", "content:update", "content:delete_own"
    )
    foreign, own = await write(api, ada), await write(api, editor)

    changed, _ = await call(api, editor, "PATCH", f"/content/{foreign['id']}", {"title": "New"})
    refused, _ = await call(api, editor, "DELETE", f"/content/{foreign['id']}")
    deleted, _ = await call(api, editor, "DELETE", f"/content/{own['id']}")

    assert (changed, refused, deleted) == (200, 403, 200)
    assert await listed(api, ada) == ["New"]


async def test_who_may_delete_everything_deletes_what_they_may_read(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await person(api, owner)
    cleaner = await holder(api, owner, "content:read", "content:delete")
    draft = await write(api, ada, title="Draft")
    public = await write(api, ada, title="Public", status="published")

    seen = await listed(api, cleaner)
    told = [
        (await call(api, cleaner, method, f"/content/{piece['id']}", body))[0]
        for piece in (draft, public)
        for method, body in (("GET", None), ("PATCH", {"title": "New"}), ("DELETE", None))
    ]

    assert seen == ["Public"]
    assert told == [404, 403, 404, 200, 403, 200]
    assert await listed(api, ada) == ["Draft"]


@pytest.mark.parametrize(("permission", "status"), [("teams:read", 422), ("teams:manage", 201)])
async def test_to_see_a_team_is_not_to_put_content_into_it(
    api: aiohttp.ClientSession, owner: Any, permission: str, status: int
) -> None:
    writer = await holder(api, owner, "content:read", "content:create", permission)
    new = {"title": "For them", "teamId": await team_of(owner)}

    told, _ = await call(api, writer, "POST", "/content", new)

    assert told == status
