"""What one may not read is not there, whatever one asks; what one may only read stays as it is."""

from typing import Any

import aiohttp
import pytest

from ops.ids import new_id
from storage.roles import BuiltInRole
from tests.api.pieces import leave, listed, team_of, write
from tests.people import Person, admin, call, manager, person

_WHOLE = {"title": "Mine now", "body": "", "status": "published", "teamId": None}
# Everything that can be asked of one piece of content.
_ASKED = [("GET", None), ("PUT", _WHOLE), ("PATCH", {"title": "Mine now"}), ("DELETE", None)]


async def answers(api: aiohttp.ClientSession, who: Person | None, item_id: str) -> list[Any]:
    """Return what somebody is answered to everything, without what differs by request."""
    found = []
    for method, sent in _ASKED:
        status, body = await call(api, who, method, f"/content/{item_id}", sent)
        found.append((status, body.get("error")))
    return found


@pytest.mark.parametrize("status", ["draft", "archived"])
async def test_what_is_not_published_is_to_strangers_what_never_was(
    api: aiohttp.ClientSession, owner: Any, status: str
) -> None:
    ada, grace = await person(api, owner), await person(api, owner)
    piece = await write(api, ada, status=status)

    told = await answers(api, grace, piece["id"])

    assert {status for status, _ in told} == {404}
    for nobodys in (str(new_id()), "no-id", "%00", "me"):
        assert await answers(api, grace, nobodys) == told
    assert (await call(api, ada, "GET", f"/content/{piece['id']}"))[1]["data"] == piece


async def test_what_is_published_is_read_by_all_and_changed_by_its_owner(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada, grace = await person(api, owner), await person(api, owner)
    guest = await person(api, owner, BuiltInRole.GUEST)
    piece = await write(api, ada, status="published")

    for reader in (grace, guest):
        told = await answers(api, reader, piece["id"])
        assert [status for status, _ in told] == [200, 403, 403, 403]
    assert {status for status, _ in await answers(api, None, piece["id"])} == {401}

    assert (await call(api, ada, "GET", f"/content/{piece['id']}"))[1]["data"] == piece
    denied = "SELECT count(*) FROM audit_inbox WHERE action = 'access.denied'"
    assert await owner.fetchval(denied) == 6


async def test_guests_create_nothing(api: aiohttp.ClientSession, owner: Any) -> None:
    guest = await person(api, owner, BuiltInRole.GUEST)

    assert (await call(api, guest, "POST", "/content", {"title": "T"}))[0] == 403
    assert (await call(api, None, "POST", "/content", {"title": "T"}))[0] == 401

    assert await owner.fetchval("SELECT count(*) FROM content") == 0


async def test_managers_and_admins_read_and_change_what_is_anybodys(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await person(api, owner)

    for who in (await manager(api, owner), await admin(api, owner)):
        piece = await write(api, ada, title="Draft")
        assert await listed(api, who) == ["Draft"]
        told = await answers(api, who, piece["id"])
        assert [status for status, _ in told] == [200] * 4


async def test_whoever_changes_content_its_owner_stays(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada, boss = await person(api, owner), await manager(api, owner)
    piece = await write(api, ada)

    _, body = await call(api, boss, "PUT", f"/content/{piece['id']}", _WHOLE)

    assert body["data"]["ownerId"] == piece["ownerId"]


async def test_a_teams_drafts_are_read_by_its_members_until_they_leave(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada, grace = await person(api, owner), await person(api, owner)
    team = await team_of(owner, ada, grace)
    piece = await write(api, ada, title="Ours", teamId=team)

    before = await answers(api, grace, piece["id"])
    seen = await listed(api, grace)
    await leave(owner, team, grace)
    after = await answers(api, grace, piece["id"])

    assert [status for status, _ in before] == [200, 403, 403, 403]
    assert [status for status, _ in after] == [404, 404, 404, 404]
    assert (seen, await listed(api, grace)) == (["Ours"], [])


async def test_a_draft_that_leaves_a_team_is_no_longer_its_members(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada, grace = await person(api, owner), await person(api, owner)
    team = await team_of(owner, ada, grace)
    piece = await write(api, ada, teamId=team)

    await call(api, ada, "PATCH", f"/content/{piece['id']}", {"teamId": None})

    assert (await call(api, grace, "GET", f"/content/{piece['id']}"))[0] == 404


async def test_what_is_unpublished_is_gone_for_others_at_once(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada, grace = await person(api, owner), await person(api, owner)
    piece = await write(api, ada, status="published")
    path = f"/content/{piece['id']}"
    assert (await call(api, grace, "GET", path))[0] == 200

    await call(api, ada, "PATCH", path, {"status": "draft"})

    assert (await call(api, grace, "GET", path))[0] == 404
    assert await listed(api, grace) == []


async def test_a_key_of_somebody_elses_request_shows_nothing(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada, grace = await person(api, owner), await person(api, owner)
    new = {"title": "Draft"}

    _, first = await call(api, ada, "POST", "/content", new, Idempotency_Key="k")
    _, second = await call(api, grace, "POST", "/content", new, Idempotency_Key="k")

    assert first["data"]["id"] != second["data"]["id"]


async def test_content_goes_to_a_team_one_is_in_and_to_no_other(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada, grace = await person(api, owner), await person(api, owner)
    own, foreign, unknown = await team_of(owner, ada), await team_of(owner, grace), str(new_id())
    piece = await write(api, ada, teamId=own)
    told = []

    for team in (foreign, unknown):
        told.append(await call(api, ada, "POST", "/content", {"title": "T", "teamId": team}))
        told.append(await call(api, ada, "PATCH", f"/content/{piece['id']}", {"teamId": team}))

    assert {status for status, _ in told} == {422}
    assert len({str(body["error"]) for _, body in told}) == 1
    assert told[0][1]["error"]["details"][0]["field"] == "teamId"
    assert await owner.fetchval("SELECT count(*) FROM content WHERE team_id = $1", own) == 1


async def test_who_left_a_team_still_changes_their_content_in_it(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await person(api, owner)
    team = await team_of(owner, ada)
    piece = await write(api, ada, teamId=team)
    await owner.execute("DELETE FROM team_members")

    same = {"title": "B", "body": "", "status": "draft", "teamId": team}
    kept, _ = await call(api, ada, "PUT", f"/content/{piece['id']}", same)
    freed, _ = await call(api, ada, "PATCH", f"/content/{piece['id']}", {"teamId": None})
    back, _ = await call(api, ada, "PATCH", f"/content/{piece['id']}", {"teamId": team})

    assert (kept, freed, back) == (200, 200, 422)


async def test_who_manages_every_team_puts_content_into_any_that_is_there(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    root = await admin(api, owner)
    team = await team_of(owner)

    piece = await write(api, root, teamId=team)
    status, body = await call(
        api, root, "PATCH", f"/content/{piece['id']}", {"teamId": str(new_id())}
    )

    assert piece["teamId"] == team
    assert (status, body["error"]["details"][0]["field"]) == (422, "teamId")
