"""Teams: created, listed, read, changed and deleted, by those who may."""

from typing import Any

import aiohttp
import pytest

from tests.api.teams import NOBODY, actions, custom, get, member, put, statuses, team
from tests.conftest import Serve
from tests.factories import bearer, register
from tests.people import admin, call, id_of, manager


def names(told: Any) -> list[str]:
    return [item["name"] for item in told["data"]]


async def test_who_creates_a_team_manages_it(api: aiohttp.ClientSession, owner: Any) -> None:
    who = await manager(api, owner)

    status, told = await call(
        api, who, "POST", "/teams", {"name": " Süpport ", "description": "All\r\nday"}
    )

    made = told["data"]
    assert (status, made["name"], made["description"]) == (201, "Süpport", "All\nday")
    assert (made["myRole"], made["memberCount"], made["version"]) == ("manager", 1, 1)
    assert await get(api, who, made) == made
    assert await actions(owner) == ["team.created", "team.member_added"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "x"},
        {"name": "x" * 101},
        {"name": "two\nlines"},
        {"name": "turned\u202eround"},
        {"name": None},
        {"name": 7},
        {"name": "Support", "description": "x" * 1001},
        {"name": "Support", "description": "bell\u0007"},
        {"name": "Support", "managerId": "me"},
        {"name": "Support", "managerId": None},
        {"name": "Support", "members": []},
    ],
)
async def test_what_no_team_can_be_is_refused(
    api: aiohttp.ClientSession, owner: Any, body: dict[str, Any]
) -> None:
    who = await manager(api, owner)

    status, told = await call(api, who, "POST", "/teams", body)

    assert (status, told["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert await owner.fetchval("SELECT count(*) FROM teams") == 0


async def test_null_is_the_empty_description(api: aiohttp.ClientSession, owner: Any) -> None:
    made = await team(api, await manager(api, owner), description=None)

    assert made["description"] == ""


async def test_no_two_teams_have_one_name_whatever_its_case(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    who = await manager(api, owner)
    await team(api, who, name="Überblick")
    other = await team(api, who)

    created, told = await call(api, who, "POST", "/teams", {"name": "ÜBERBLICK"})
    renamed, _ = await call(api, who, "PATCH", f"/teams/{other['id']}", {"name": "überblick"})

    assert (created, told["error"]["code"]) == (409, "DUPLICATE_ENTRY")
    assert told["error"]["details"][0]["field"] == "name"
    assert renamed == 409
    assert await get(api, who, other) == other


async def test_a_repeated_creation_gives_the_same_team(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    who, asked = await manager(api, owner), {"name": "Support"}

    first = await call(api, who, "POST", "/teams", asked, Idempotency_Key="order-1001")
    second = await call(api, who, "POST", "/teams", asked, Idempotency_Key="order-1001")

    assert (first[0], second[0]) == (201, 201)
    assert first[1]["data"] == second[1]["data"]
    assert await owner.fetchval("SELECT count(*) FROM teams") == 1


async def test_only_who_manages_every_team_creates_one_for_somebody_else(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss, lead = await admin(api, owner), await manager(api, owner)

    made = await team(api, boss, name="For Ada", managerId=id_of(lead))
    unknown = await call(api, boss, "POST", "/teams", {"name": "None", "managerId": NOBODY})
    asked = {"name": "For a user", "managerId": id_of(await register(api))}
    others, _ = await call(api, lead, "POST", "/teams", asked)

    assert (made["myRole"], made["memberCount"]) == (None, 1)
    assert (await get(api, lead, made))["myRole"] == "manager"
    assert (unknown[0], unknown[1]["error"]["code"]) == (422, "UNPROCESSABLE_ENTITY")
    assert others == 403
    assert await owner.fetchval("SELECT array_agg(name) FROM teams") == ["For Ada"]


async def test_a_user_sees_the_teams_they_are_in_and_no_others(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead = await manager(api, owner)
    own, other = await team(api, lead, name="Own"), await team(api, lead, name="Other")
    ada = await member(api, lead, own)

    _, hers = await call(api, ada, "GET", "/teams")
    _, all_of_them = await call(api, lead, "GET", "/teams?sort=name&order=asc")
    found = await statuses(
        api,
        ada,
        ("GET", f"/teams/{own['id']}"),
        ("GET", f"/teams/{own['id']}/members"),
        ("GET", f"/teams/{other['id']}"),
        ("GET", f"/teams/{other['id']}/members"),
        ("GET", f"/teams/{NOBODY}"),
        ("GET", "/teams/nonsense"),
        ("GET", f"/teams/{own['id'].replace('-', '')}"),
    )

    assert [(item["name"], item["myRole"], item["memberCount"]) for item in hers["data"]] == [
        ("Own", "member", 2)
    ]
    assert hers["pagination"]["total"] == 1
    assert names(all_of_them) == ["Other", "Own"]
    assert found == [200, 200, 404, 404, 404, 404, 404]


async def test_a_team_one_may_not_see_is_answered_like_none(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    other = await team(api, await manager(api, owner))
    who = await custom(api, owner, "teams:read_own", "teams:manage_own")

    seen = [
        await call(api, who, method, f"/teams/{team_id}{rest}", body)
        for method, rest, body in [
            ("GET", "", None),
            ("PATCH", "", {"name": "Mine now"}),
            ("DELETE", "", None),
            ("PUT", f"/members/{id_of(who)}", None),
            ("DELETE", f"/members/{id_of(who)}", None),
            ("DELETE", f"/members/{NOBODY}", None),
        ]
        for team_id in (other["id"], NOBODY, "nonsense")
    ]

    assert {status for status, _ in seen} == {404}
    assert len({told["error"]["message"] for _, told in seen}) == 1


async def test_who_sees_a_team_but_does_not_manage_it_is_refused_and_written_down(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead, other = await manager(api, owner), await manager(api, owner)
    made = await team(api, lead)
    ada, bob = await member(api, lead, made), await member(api, lead, made)
    appointed = await member(api, lead, made)
    await put(api, lead, made, appointed, "manager")
    mere = await manager(api, owner)
    await put(api, await admin(api, owner), made, mere, "member")
    path = f"/teams/{made['id']}"
    calls = [
        ("PATCH", path, {"name": "Mine now"}),
        ("DELETE", path),
        ("PUT", f"{path}/members/{id_of(other)}"),
        ("DELETE", f"{path}/members/{id_of(bob)}"),
    ]

    found = [await statuses(api, who, *calls) for who in (other, ada, appointed, mere)]

    assert found == [[403] * 4] * 4
    assert (await actions(owner, "access.denied")) == ["access.denied"] * 16


async def test_a_change_tells_what_changed_and_nothing_changes_by_nothing(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead = await manager(api, owner)
    made = await team(api, lead, name="Support", description="Old")
    path = f"/teams/{made['id']}"

    same = [
        (await call(api, lead, "PATCH", path, body))[1]["data"]
        for body in ({}, {"name": "Support"}, {"description": "Old"})
    ]
    _, changed = await call(api, lead, "PATCH", path, {"name": "SUPPORT", "description": None})
    _, empty = await call(api, lead, "PATCH", path, {"description": None})
    refused, _ = await call(api, lead, "PATCH", path, {"name": None})

    assert same == [made] * 3
    assert (changed["data"]["name"], changed["data"]["description"]) == ("SUPPORT", "")
    assert changed["data"]["version"] == 2
    assert empty["data"] == changed["data"]
    assert refused == 400
    facts = await owner.fetch("SELECT facts FROM audit_inbox WHERE action = 'team.changed'")
    assert [row["facts"] for row in facts] == [
        f'{{"team": "{made["id"]}", "fields": "description,name"}}'
    ]


async def test_a_stale_if_match_changes_nothing(api: aiohttp.ClientSession, owner: Any) -> None:
    lead = await manager(api, owner)
    made = await team(api, lead)
    path = f"/api/v1/teams/{made['id']}"
    async with api.get(path, headers=bearer(lead)) as answer:
        read = answer.headers["ETag"]
    async with api.get(path, headers=bearer(lead) | {"If-None-Match": read}) as answer:
        unchanged = answer.status
    await member(api, lead, made)

    found = [
        (await call(api, lead, method, f"/teams/{made['id']}{rest}", body, If_Match=read))[0]
        for method, rest, body in [
            ("PATCH", "", {"name": "Late"}),
            ("DELETE", "", None),
            ("PUT", f"/members/{id_of(await register(api))}", None),
            ("DELETE", "/members/me", None),
        ]
    ]

    assert unchanged == 304
    assert found == [412] * 4
    assert (await get(api, lead, made))["memberCount"] == 2


async def test_changes_name_the_version_where_security_is_strict(
    serve: Serve, owner: Any, api: aiohttp.ClientSession
) -> None:
    lead = await manager(api, owner)
    made = await team(api, lead)
    strict = await serve(security_profile="strict")
    path = f"/teams/{made['id']}"

    found = await statuses(
        strict, lead, ("PATCH", path, {}), ("DELETE", path), ("DELETE", f"{path}/members/me")
    )
    left, _ = await call(strict, lead, "DELETE", f"{path}/members/me", If_Match="*")

    assert found == [428] * 3
    assert left == 200


async def test_the_aliases_answer_too(api: aiohttp.ClientSession, owner: Any) -> None:
    made = await team(api, lead := await manager(api, owner))

    async with api.get(f"/api/teams/{made['id']}", headers=bearer(lead)) as answer:
        assert (await answer.json())["data"] == made


async def test_the_answer_to_a_creation_says_where_the_team_is(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    sent = bearer(await manager(api, owner))

    async with api.post("/api/v1/teams", json={"name": "Support"}, headers=sent) as answer:
        where = answer.headers["Location"]

    async with api.get(where, headers=sent) as found:
        assert (await found.json())["data"]["name"] == "Support"
        assert found.headers["ETag"] == answer.headers["ETag"]
