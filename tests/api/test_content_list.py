"""Lists of content show what the caller may read, and nothing tells of the rest."""

from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from tests.api.pieces import listed, team_of, write
from tests.people import call, id_of, manager, person

_HIDDEN = [
    "",
    "search=secret",
    "search=Hidden",
    "filter[status]=draft",
    "filter[status]=archived",
    "filter[owner]={ada}",
    "filter[owner]={ada}&filter[status]=draft",
    "filter[team]={team}",
    "filter[team]={team}&filter[status]=draft",
    "filter[id]={ids}",
    "sort=title&order=asc",
    "sort=publishedAt",
    "sort=updatedAt",
    "fields=title,ownerId",
    "dateFrom=2020-01-01",
    "cursor=",
    "cursor=&limit=1",
    "page=1&limit=1",
]


@pytest.mark.parametrize("query", _HIDDEN)
async def test_a_strangers_drafts_are_in_no_list_search_filter_or_count(
    api: aiohttp.ClientSession, owner: Any, query: str
) -> None:
    ada, grace = await person(api, owner), await person(api, owner)
    team = await team_of(owner, ada)
    hidden = [
        await write(api, ada, title="Hidden", body="a secret", status=status, teamId=at)
        for status in ("draft", "archived")
        for at in (None, team)
    ]
    ids = ",".join(item["id"] for item in hidden)

    asked = query.format(ada=id_of(ada), team=team, ids=ids)
    status, body = await call(api, grace, "GET", f"/content?{asked}")

    assert (status, body["data"]) == (200, [])
    assert body["pagination"]["hasNext"] is False
    assert body["pagination"]["nextCursor"] is None
    if "cursor" not in asked:
        assert (body["pagination"]["total"], body["pagination"]["totalIsExact"]) == (0, True)


async def test_counts_and_walks_go_around_what_is_hidden(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada, grace = await person(api, owner), await person(api, owner)
    for number in range(7):
        await write(api, ada, title=f"P{number}", status="published")
        await write(api, ada, title="Hidden")

    seen, cursor = [], ""
    while cursor is not None:
        _, body = await call(api, grace, "GET", f"/content?limit=2&cursor={cursor}")
        seen += [item["title"] for item in body["data"]]
        cursor = body["pagination"]["nextCursor"]
    _, second = await call(api, grace, "GET", "/content?limit=3&page=2")

    assert seen == ["P6", "P5", "P4", "P3", "P2", "P1", "P0"]
    assert [item["title"] for item in second["data"]] == ["P3", "P2", "P1"]
    assert second["pagination"]["total"] == 7
    assert second["pagination"]["totalPages"] == 3


async def test_everybody_sees_what_is_published_their_own_and_their_teams(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada, grace = await person(api, owner), await person(api, owner)
    team = await team_of(owner, ada, grace)
    await write(api, ada, title="everybody's", status="published")
    await write(api, ada, title="ada's")
    await write(api, ada, title="ours", teamId=team)
    await write(api, grace, title="grace's", status="archived")

    by_title = "sort=title&order=asc"
    assert await listed(api, grace, by_title) == ["everybody's", "grace's", "ours"]
    assert await listed(api, ada, by_title) == ["ada's", "everybody's", "ours"]
    drafts = await listed(api, grace, f"{by_title}&filter[status]=draft")
    assert drafts == ["ours"]
    everything = await listed(api, await manager(api, owner), by_title)
    assert everything == ["ada's", "everybody's", "grace's", "ours"]


async def test_filters_narrow_to_a_status_an_owner_a_team_and_ids(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada, grace = await person(api, owner), await person(api, owner)
    team = await team_of(owner, ada)
    first = await write(api, ada, title="first", status="published", teamId=team)
    second = await write(api, ada, title="second")
    other = await write(api, grace, title="other", status="published")

    for asked, titles in {
        "filter[status]=published": ["other", "first"],
        "filter[owner]=me": ["second", "first"],
        f"filter[owner]={id_of(grace)}": ["other"],
        "filter[owner]=me&filter[status]=draft": ["second"],
        f"filter[team]={team}": ["first"],
        f"filter[id]={second['id']},{other['id']}": ["other", "second"],
        f"filter[id]={first['id']}&filter[status]=draft": [],
    }.items():
        assert await listed(api, ada, asked) == titles, asked


@pytest.mark.parametrize(
    "query",
    [
        "filter[status]=hidden",
        "filter[owner]=somebody",
        "filter[team]=me",
        "filter[reader]=x",
        "filter[readable]=x",
        "sort=body",
        "fields=body",
        "fields=search_text",
        "limit=101",
    ],
)
async def test_what_a_list_does_not_know_is_refused(
    api: aiohttp.ClientSession, owner: Any, query: str
) -> None:
    status, body = await call(api, await person(api, owner), "GET", f"/content?{query}")

    assert (status, body["error"]["code"]) == (400, "VALIDATION_ERROR")


async def test_lists_come_without_bodies(api: aiohttp.ClientSession, owner: Any) -> None:
    ada = await person(api, owner)
    piece = await write(api, ada, body="long")

    _, body = await call(api, ada, "GET", "/content")
    _, chosen = await call(api, ada, "GET", "/content?fields=id,title")

    assert body["data"] == [{name: piece[name] for name in piece if name != "body"}]
    assert chosen["data"] == [{"id": piece["id"], "title": piece["title"]}]


async def test_search_looks_at_titles_and_bodies_and_takes_every_sign_as_it_is(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await person(api, owner)
    await write(api, ada, title="100% of it", body="one_two\nab\tcd")
    await write(api, ada, title="1000 of it", body="onextwo")
    await write(api, ada, title="Zażółć", body="back\\slash 漢字")

    for words, titles in {
        "100%": ["100% of it"],
        "%": ["100% of it"],
        "_": ["100% of it"],
        "one_two": ["100% of it"],
        "\\": ["Zażółć"],
        "k\\s": ["Zażółć"],
        "OF it": ["1000 of it", "100% of it"],
        "ab": ["100% of it"],
        "cd ab": ["100% of it"],
        "ne": [],
        "ZAŻÓŁĆ": ["Zażółć"],
        "漢字": ["Zażółć"],
        "' OR true --": [],
        "of it nowhere": [],
    }.items():
        found = await listed(api, ada, f"search={quote(words)}")
        assert found == titles, words


async def test_the_newest_publications_come_first_and_the_unpublished_last(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await person(api, owner)
    early, late = [await write(api, ada, title=title) for title in ("early", "late")]
    await write(api, ada, title="never")
    for piece in (late, early):
        await call(api, ada, "PATCH", f"/content/{piece['id']}", {"status": "published"})

    assert await listed(api, ada, "sort=publishedAt") == ["early", "late", "never"]
    seen, cursor = [], ""
    while cursor is not None:
        query = f"sort=publishedAt&order=asc&limit=1&cursor={cursor}"
        _, body = await call(api, ada, "GET", f"/content?{query}")
        seen += [item["title"] for item in body["data"]]
        cursor = body["pagination"]["nextCursor"]
    assert seen == ["never", "late", "early"]
