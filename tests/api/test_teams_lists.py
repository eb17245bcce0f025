"""Lists of teams and of their members: every order, search, filters, parts."""

import json
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from tests.api.teams import member, put, team
from tests.people import Person, admin, call, id_of, manager


async def walk(
    api: aiohttp.ClientSession, who: Person, path: str, query: str, name: str
) -> list[Any]:
    """Read a list by cursors, two rows at a time; return one field of all rows."""
    found, cursor = [], ""
    while True:
        asked = f"{path}?limit=2&{query}&cursor={quote(cursor)}"
        status, told = await call(api, who, "GET", asked)
        assert status == 200, told
        found += [item[name] for item in told["data"]]
        cursor = told["pagination"]["nextCursor"]
        if cursor is None:
            return found


@pytest.mark.parametrize("sort", ["createdAt", "updatedAt", "name"])
async def test_teams_are_listed_in_every_order(
    api: aiohttp.ClientSession, owner: Any, sort: str
) -> None:
    lead = await manager(api, owner)
    for name in ("beta", "Alpha", "delta", "Émile", "charlie"):
        await team(api, lead, name=name)
    made = await owner.fetch("SELECT name FROM teams ORDER BY created_at")
    by_name = await owner.fetch("SELECT name FROM teams ORDER BY lower(name)")
    wanted = [row["name"] for row in (by_name if sort == "name" else made)]

    up = await walk(api, lead, "/teams", f"sort={sort}&order=asc", "name")
    down = await walk(api, lead, "/teams", f"sort={sort}", "name")

    assert (up, down) == (wanted, wanted[::-1])


@pytest.mark.parametrize("sort", ["since", "firstName", "lastName", "email"])
async def test_members_are_listed_in_every_order(
    api: aiohttp.ClientSession, owner: Any, sort: str
) -> None:
    boss = await admin(api, owner)
    made = await team(api, boss)
    for first, last in (("Cy", "Bell"), ("bea", "Cole"), ("Ann", "Abel"), ("Dan", "dorn")):
        await member(
            api, boss, made, firstName=first, lastName=last, email=f"{last}.{first}@example.com"
        )
    await owner.execute("DELETE FROM team_members WHERE role = 'manager'")
    wanted = {
        "since": ["Cy", "bea", "Ann", "Dan"],
        "firstName": ["Ann", "bea", "Cy", "Dan"],
    }.get(sort, ["Ann", "Cy", "bea", "Dan"])
    path = f"/teams/{made['id']}/members"

    up = await walk(api, boss, path, f"sort={sort}&order=asc", "firstName")
    down = await walk(api, boss, path, f"sort={sort}", "firstName")
    _, paged = await call(api, boss, "GET", f"{path}?page=2&limit=3&sort={sort}&order=asc")

    assert (up, down) == (wanted, wanted[::-1])
    assert [item["firstName"] for item in paged["data"]] == wanted[3:]
    assert paged["pagination"]["total"] == 4


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("search=PORT", ["Customer support", "Port"]),
        ("search=cu", ["Customer support"]),
        ("search=po", ["Port"]),
        ("search=support+customer", ["Customer support"]),
        ("search=100%25", ["100% sure"]),
        ("search=_", []),
        ("search=nobody", []),
        ("fields=name&search=port", ["Customer support", "Port"]),
        ("dateTo=2026-01-01", []),
        ("dateFrom=2026-01-01&search=port", ["Customer support", "Port"]),
    ],
)
async def test_a_search_looks_at_names(
    api: aiohttp.ClientSession, owner: Any, query: str, wanted: list[str]
) -> None:
    lead = await manager(api, owner)
    for name in ("Customer support", "Port", "100% sure"):
        await team(api, lead, name=name, description="nobody")

    status, told = await call(api, lead, "GET", f"/teams?sort=name&order=asc&{query}")

    assert status == 200, told
    assert [item["name"] for item in told["data"]] == wanted


async def test_teams_of_one_member_are_found_among_those_one_sees(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead = await manager(api, owner)
    ours, theirs = await team(api, lead, name="Ours"), await team(api, lead, name="Theirs")
    ada, bob = await member(api, lead, ours), await member(api, lead, ours)
    await put(api, lead, theirs, bob)
    await put(api, lead, await team(api, lead, name="Hers"), ada)
    query = f"/teams?filter[member]={id_of(bob)}&sort=name&order=asc"

    _, by_lead = await call(api, lead, "GET", query)
    _, by_ada = await call(api, ada, "GET", query)
    wrong, _ = await call(api, lead, "GET", "/teams?filter[member]=me")

    assert [item["name"] for item in by_lead["data"]] == ["Ours", "Theirs"]
    assert [item["myRole"] for item in by_lead["data"]] == ["manager", "manager"]
    assert [(item["name"], item["myRole"]) for item in by_ada["data"]] == [("Ours", "member")]
    assert wrong == 400


async def test_members_are_found_by_role_and_name_and_who_looked_is_written_down(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead = await manager(api, owner)
    made = await team(api, lead)
    ada = await member(api, lead, made, firstName="Grace", lastName="Hopper")
    path = f"/teams/{made['id']}/members"

    found = [
        [item["userId"] for item in (await call(api, ada, "GET", f"{path}?{query}"))[1]["data"]]
        for query in ("filter[role]=manager", "filter[role]=member", "search=hop", "search=ho+gr")
    ]
    outside = [
        (await call(api, ada, "GET", f"{path}?{query}"))[1]["data"]
        for query in ("dateFrom=2126-01-01", "dateTo=2026-01-01")
    ]

    assert found == [[id_of(lead)], [id_of(ada)], [id_of(ada)], [id_of(ada)]]
    assert outside == [[], []]
    events = "SELECT count(*) FROM audit_inbox WHERE action = 'team.members_listed' AND actor_id=$1"
    assert await owner.fetchval(events, id_of(ada)) == 6


@pytest.mark.parametrize(
    ("search", "wanted"),
    [
        ("grace hopper", ["Hopper"]),
        ("hopper ingram", []),
        ("ho gr", ["Hopper"]),
        ("gr", ["Hopper", "Kelly"]),
        ("%", ["_Under"]),
        ("_", ["_Under"]),
        ("00%", ["_Under"]),
        ("_un", ["_Under"]),
    ],
)
async def test_a_member_matches_every_word_sign_for_sign_and_short_words_where_words_start(
    api: aiohttp.ClientSession, owner: Any, search: str, wanted: list[str]
) -> None:
    lead = await manager(api, owner)
    made = await team(api, lead)
    # Thora Ingram has `ho` and `gr` inside; 007 and Munro match what `%` and `_` could stand for.
    for name in ("Grace Hopper", "Grace Kelly", "Thora Ingram", "%100% _Under", "007 Munro"):
        first, last = name.split()
        await member(api, lead, made, firstName=first, lastName=last)
    path = f"/teams/{made['id']}/members?sort=lastName&order=asc&search={quote(search)}"

    _, told = await call(api, lead, "GET", path)

    assert [item["lastName"] for item in told["data"]] == wanted
    assert told["pagination"]["total"] == len(wanted)


async def test_the_first_moment_of_a_day_belongs_to_it_and_not_to_the_day_before(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead = await manager(api, owner)
    path = f"/teams/{(await team(api, lead))['id']}/members"
    await owner.execute("UPDATE team_members SET created_at = '2026-03-02T00:00:00Z'")

    found = {
        query: len((await call(api, lead, "GET", f"{path}?{query}"))[1]["data"])
        for query in ("dateFrom=2026-03-02", "dateTo=2026-03-02", "dateTo=2026-03-01")
    }

    assert found == {"dateFrom=2026-03-02": 1, "dateTo=2026-03-02": 1, "dateTo=2026-03-01": 0}


async def test_a_part_tells_how_many_were_asked_for_in_all_and_whether_some_follow(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead = await manager(api, owner)
    made = await team(api, lead)
    await member(api, lead, made, firstName="Grace", lastName="Hopper")
    await member(api, lead, made)

    parts = [
        (await call(api, lead, "GET", f"/teams/{made['id']}/members?{query}"))[1]["pagination"]
        for query in ("limit=2", "limit=3", "limit=1&filter[role]=member", "limit=1&search=hop")
    ]

    assert [part["total"] for part in parts] == [3, 3, 2, 1]
    assert [part["hasNext"] for part in parts] == [True, False, True, False]
    noted = "SELECT facts FROM audit_inbox WHERE action = 'team.members_listed' ORDER BY id"
    counts = [json.loads(row["facts"])["count"] for row in await owner.fetch(noted)]
    assert counts == [2, 3, 1, 1]
