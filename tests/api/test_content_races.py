"""Whatever happens to one piece of content at once, it happens in some order."""

import asyncio
from typing import Any

import aiohttp

from tests.api.pieces import events, team_of, write
from tests.factories import bearer
from tests.people import admin, call, manager, person


async def test_of_twenty_changes_to_one_version_one_is_made(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await person(api, owner)
    piece = await write(api, ada)
    path = f"/content/{piece['id']}"
    async with api.get(f"/api/v1{path}", headers=bearer(ada)) as answer:
        etag = answer.headers["ETag"]

    told = await asyncio.gather(
        *(
            call(api, ada, "PATCH", path, {"title": f"T{number}"}, If_Match=etag)
            for number in range(20)
        )
    )

    made = [body["data"] for status, body in told if status == 200]
    assert sorted(status for status, _ in told) == [200] + [412] * 19
    assert (await call(api, ada, "GET", path))[1]["data"] == made[0]
    assert made[0]["version"] == 2
    assert await events(owner, piece, ada) == ["content.created", "content.changed title"]


async def test_content_that_many_publish_at_once_is_published_once(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada, boss = await person(api, owner), await manager(api, owner)
    piece = await write(api, ada)
    path = f"/content/{piece['id']}"

    told = await asyncio.gather(
        *(call(api, who, "PATCH", path, {"status": "published"}) for who in (ada, boss) * 10)
    )

    assert {status for status, _ in told} == {200}
    assert len({str(body["data"]) for _, body in told}) == 1
    assert told[0][1]["data"]["version"] == 2
    published = "SELECT count(*) FROM audit_inbox WHERE action = 'content.published'"
    assert await owner.fetchval(published) == 1


async def test_content_that_is_deleted_while_it_is_changed_is_gone(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await person(api, owner)

    for _ in range(5):
        path = f"/content/{(await write(api, ada))['id']}"
        changes = [call(api, ada, "PATCH", path, {"title": f"T{number}"}) for number in range(6)]
        deletions = [call(api, ada, "DELETE", path) for _ in range(3)]
        told = await asyncio.gather(*changes[:3], *deletions, *changes[3:])

        assert {status for status, _ in told} <= {200, 404}
        assert [status for status, _ in told[3:6]].count(200) == 1
        assert (await call(api, ada, "GET", path))[0] == 404
    assert await owner.fetchval("SELECT count(*) FROM content") == 0


async def test_one_key_sent_twice_at_once_makes_one_piece(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await person(api, owner)

    told = await asyncio.gather(
        *(call(api, ada, "POST", "/content", {"title": "T"}, Idempotency_Key="k") for _ in range(8))
    )

    assert {status for status, _ in told} <= {201, 409}
    assert await owner.fetchval("SELECT count(*) FROM content") == 1


async def test_content_written_while_its_team_goes_has_a_version_that_tells(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    root = await admin(api, owner)
    team = await team_of(owner)
    piece = await write(api, root)

    async with owner.transaction():
        await owner.execute(
            """
            INSERT INTO content (id, title, body, status, owner_id, team_id)
            SELECT gen_random_uuid(), 'Late', '', 'draft', owner_id, $2 FROM content WHERE id = $1
            """,
            piece["id"],
            team,
        )
        waiting = asyncio.create_task(call(api, root, "DELETE", f"/teams/{team}"))
        await asyncio.sleep(0.3)

    assert (await waiting)[0] == 200
    found = await owner.fetchrow("SELECT team_id, version FROM content WHERE title = 'Late'")
    assert tuple(found) == (None, 2)


async def test_a_team_that_goes_while_content_comes_keeps_none(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    root = await admin(api, owner)

    for _ in range(5):
        team = await team_of(owner)
        pieces = [await write(api, root, teamId=team) for _ in range(2)]
        moves = [
            call(api, root, "PATCH", f"/content/{piece['id']}", {"title": "Moved"})
            for piece in pieces
        ]
        news = [
            call(api, root, "POST", "/content", {"title": "T", "teamId": team}) for _ in range(3)
        ]
        told = await asyncio.gather(*moves, call(api, root, "DELETE", f"/teams/{team}"), *news)

        assert {status for status, _ in told} <= {200, 201, 422}
        assert await owner.fetchval("SELECT count(*) FROM content WHERE team_id = $1", team) == 0
