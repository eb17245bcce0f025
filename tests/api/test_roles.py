"""Roles are made, read, listed, changed and deleted; every change is versioned and written down."""

import asyncio
from typing import Any

import aiohttp
import pytest

from storage.roles import BuiltInRole, Permission
from tests.api.holders import events, own_role
from tests.factories import bearer
from tests.people import Person, admin, call, manager

AUDITOR = {
    "name": "auditor",
    "description": "Reads everything.",
    "rank": 200,
    "permissions": ["users:read", "content:read"],
}


async def made(api: aiohttp.ClientSession, who: Person, **changes: Any) -> dict[str, Any]:
    """Make a role through the front door; return the data of the answer."""
    status, told = await call(api, who, "POST", "/roles", AUDITOR | changes)
    assert status == 201, told
    return dict(told["data"])


async def test_a_role_that_was_made_is_read_by_its_id_and_by_its_name(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)

    role = await made(api, boss)

    assert {name: role[name] for name in AUDITOR} == AUDITOR | {
        "permissions": ["content:read", "users:read"]
    }
    assert (role["builtIn"], role["version"]) == (False, 1)
    for named in (role["id"], "auditor"):
        assert (await call(api, boss, "GET", f"/roles/{named}"))[1]["data"] == role
    [(_, facts)] = await events(owner, "role.created")
    added = "content:read,users:read"
    assert facts == {"role": "auditor", "rank": AUDITOR["rank"], "added": added}


async def test_the_catalogue_says_what_each_permission_is_for_and_who_has_it(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    status, told = await call(api, await manager(api, owner), "GET", "/permissions")

    assert status == 200
    found = {item["name"]: item for item in told["data"]}
    assert list(found) == sorted(Permission)
    assert all(item["description"] for item in found.values())
    assert found["users:read"]["roles"] == ["admin", "manager"]
    assert found["content:read"]["roles"] == list(BuiltInRole)


async def test_the_answer_to_a_creation_says_where_the_role_is_and_its_version(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = bearer(await admin(api, owner))

    async with api.post("/api/v1/roles", json=AUDITOR, headers=boss) as made_one:
        place, etag = made_one.headers["Location"], made_one.headers["ETag"]

    async with api.get(place, headers=boss | {"If-None-Match": etag}) as answer:
        assert answer.status == 304


@pytest.mark.parametrize("alias", ["/api/roles", "/api/v1/roles"])
async def test_lists_of_roles_answer_at_both_paths(
    api: aiohttp.ClientSession, owner: Any, alias: str
) -> None:
    who = await admin(api, owner)

    async with api.get(f"{alias}?sort=rank&fields=name", headers=bearer(who)) as answer:
        told = await answer.json()

    assert told["data"] == [{"name": name} for name in BuiltInRole]
    assert told["pagination"]["total"] == 4


@pytest.mark.parametrize("sort", ["createdAt", "name", "rank"])
@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_cursors_walk_every_order_without_losing_or_repeating_a_role(
    api: aiohttp.ClientSession, owner: Any, sort: str, order: str
) -> None:
    who = await admin(api, owner)
    for rank in (5, 50, 50, 999, 0):
        await own_role(owner, rank=rank)
    query = f"/roles?sort={sort}&order={order}&limit=2"
    found, cursor = [], ""
    while cursor is not None:
        status, told = await call(api, who, "GET", f"{query}&cursor={cursor}")
        assert status == 200, told
        found += told["data"]
        cursor = told["pagination"]["nextCursor"]

    assert len({role["id"] for role in found}) == len(found) == 9
    values = [(role[sort], role["id"]) for role in found]
    assert values == sorted(values, reverse=order == "desc")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "A"}, "name"),
        ({"name": "a"}, "name"),
        ({"name": "1st"}, "name"),
        ({"name": "a" * 51}, "name"),
        ({"name": "ünder"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": None}, "name"),
        # A role must not be found where another one's id is asked for.
        ({"name": "a1935000-0000-7000-8000-000000000001"}, "name"),
        ({"rank": 1000}, "rank"),
        ({"rank": -1}, "rank"),
        ({"rank": "5"}, "rank"),
        ({"rank": 1.5}, "rank"),
        ({"permissions": ["users:fly"]}, "permissions.0"),
        ({"permissions": "users:read"}, "permissions"),
        ({"permissions": [None]}, "permissions.0"),
        ({"permissions": [["users:read"]]}, "permissions.0"),
        ({"permissions": ["users:read"] * (2 * len(Permission) + 1)}, "permissions"),
        ({"description": "x" * 501}, "description"),
        ({"builtIn": True}, "builtIn"),
        ({"id": "01935000-0000-7000-8000-000000000001"}, "id"),
        ({"version": 7}, "version"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_made(
    api: aiohttp.ClientSession, owner: Any, changes: dict[str, Any], field: str
) -> None:
    status, told = await call(api, await admin(api, owner), "POST", "/roles", AUDITOR | changes)

    assert (status, told["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert [item["field"] for item in told["error"]["details"]] == [field]
    assert await owner.fetchval("SELECT count(*) FROM roles") == 4


@pytest.mark.parametrize(
    "named", ["nobody", "A", "%00", "a%00b", "01935000-0000-7000-8000-00000000ffff"]
)
@pytest.mark.parametrize(("method", "body"), [("GET", None), ("PATCH", {}), ("DELETE", None)])
async def test_a_role_that_is_not_there_is_not_found_however_it_is_named(
    api: aiohttp.ClientSession, owner: Any, named: str, method: str, body: Any
) -> None:
    url = f"/roles/{named}"

    status, told = await call(api, await admin(api, owner), method, url, body)

    assert (status, told["error"]["code"]) == (404, "NOT_FOUND")


async def test_one_of_two_names_alike_is_refused_however_they_race(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)

    answers = await asyncio.gather(*(call(api, boss, "POST", "/roles", AUDITOR) for _ in range(6)))

    assert sorted(status for status, _ in answers) == [201] + [409] * 5
    refused = next(told["error"] for status, told in answers if status == 409)
    assert refused["code"] == "DUPLICATE_ENTRY"
    assert refused["details"] == [{"field": "name", "message": "Name already exists"}]
    await made(api, boss, name="other")
    assert (await call(api, boss, "PATCH", "/roles/other", {"name": "auditor"}))[0] == 409
    assert (await call(api, boss, "PATCH", "/roles/other", {"name": "user"}))[0] == 409


async def test_a_repeated_creation_gives_the_same_role(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)

    first, again = [
        await call(api, boss, "POST", "/roles", AUDITOR, Idempotency_Key="k-1") for _ in range(2)
    ]

    assert first[0] == again[0] == 201
    assert first[1]["data"] == again[1]["data"]
    assert len(await events(owner, "role.created")) == 1


async def test_put_replaces_all_and_patch_what_it_names(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)
    await made(api, boss)

    _, patched = await call(api, boss, "PATCH", "/roles/auditor", {"description": None, "rank": 7})
    whole = {"name": "reader", "rank": 8, "permissions": ["users:read", "teams:read"]}
    _, put = await call(api, boss, "PUT", "/roles/auditor", whole)

    assert patched["data"]["description"] == ""
    assert patched["data"]["permissions"] == ["content:read", "users:read"]
    assert (patched["data"]["version"], put["data"]["version"]) == (2, 3)
    assert {name: put["data"][name] for name in AUDITOR} == whole | {
        "description": "",
        "permissions": ["teams:read", "users:read"],
    }
    assert put["data"]["updatedAt"] > patched["data"]["updatedAt"]
    assert await events(owner, "role.changed") == [
        (
            "role.changed",
            {
                "role": "auditor",
                "fields": "description,rank",
                "added": "",
                "removed": "",
                "rank": 7,
                "rank_before": AUDITOR["rank"],
            },
        ),
        (
            "role.changed",
            {
                "role": "auditor",
                "fields": "name,permissions,rank",
                "added": "teams:read",
                "removed": "content:read",
                "name": "reader",
                "rank": 8,
                "rank_before": 7,
            },
        ),
    ]
    assert (await call(api, boss, "PUT", "/roles/reader", {"name": "reader"}))[0] == 400


@pytest.mark.parametrize(
    "body",
    [{}, {"rank": 200}, {"permissions": ["users:read", "content:read"] * len(Permission)}],
)
async def test_what_changes_nothing_leaves_no_trace(
    api: aiohttp.ClientSession, owner: Any, body: dict[str, Any]
) -> None:
    boss = await admin(api, owner)
    role = await made(api, boss)

    status, told = await call(api, boss, "PATCH", "/roles/auditor", body)

    assert (status, told["data"]) == (200, role)
    assert await events(owner, "role.changed") == []


async def test_of_changes_to_one_version_one_is_made(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)
    await made(api, boss)
    async with api.get("/api/v1/roles/auditor", headers=bearer(boss)) as answer:
        etag = answer.headers["ETag"]
    known = bearer(boss) | {"If-None-Match": etag}

    async with api.get("/api/v1/roles/auditor", headers=known) as answer:
        assert answer.status == 304
    answers = await asyncio.gather(
        *(
            call(api, boss, "PATCH", "/roles/auditor", {"rank": rank}, If_Match=etag)
            for rank in range(5)
        )
    )

    assert sorted(status for status, _ in answers) == [200] + [412] * 4
    assert (await call(api, boss, "DELETE", "/roles/auditor", If_Match=etag))[0] == 412
    async with api.get("/api/v1/roles/auditor", headers=known) as answer:
        assert answer.status == 200


async def test_a_deleted_role_is_gone_and_its_name_is_free(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)
    await made(api, boss)

    found = [(await call(api, boss, "DELETE", "/roles/auditor"))[0] for _ in range(2)]

    assert found == [200, 404]
    assert await events(owner, "role.deleted") == [("role.deleted", {"role": "auditor"})]
    assert (await made(api, boss))["name"] == "auditor"
