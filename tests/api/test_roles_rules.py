"""Nobody gives what they do not have; built-in roles stay; whoever has a role keeps it there."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from storage.roles import Permission
from storage.roles.repository import ASSIGN
from tests.api.holders import events, holder, own_role
from tests.conftest import Serve
from tests.people import admin, call, id_of, manager, person

KEEP = "CREATE TEMP TABLE kept AS SELECT * FROM role_permissions"
BACK = """
DELETE FROM role_permissions;
INSERT INTO role_permissions SELECT kept.* FROM kept JOIN roles ON roles.id = role_id;
DROP TABLE kept;
"""
HOLDERS = """
WITH made AS (
    INSERT INTO users (id, email, first_name, last_name)
    SELECT gen_random_uuid(), 'holder' || number || '@example.com', 'Ada', 'Lovelace'
    FROM generate_series(1, $2) AS number RETURNING id
)
INSERT INTO user_roles (user_id, role_id)
SELECT made.id, roles.id FROM made, roles WHERE roles.name = $1
"""
GUEST = {
    "name": "guest",
    "description": "May read content",
    "rank": 0,
    "permissions": ["content:read"],
}
WRITER = (Permission.ROLES_WRITE, Permission.ROLES_ASSIGN)


@pytest.fixture
async def matrix(owner: Any, clean: None) -> AsyncIterator[None]:
    """Let a test change what built-in roles permit."""
    await owner.execute(KEEP)
    yield
    await owner.execute(BACK)


@pytest.mark.parametrize("role", ["admin", "manager", "user", "guest"])
@pytest.mark.parametrize("body", [{"name": "other"}, {"rank": 7}, {"rank": 999, "name": "x1"}])
async def test_a_built_in_role_keeps_its_name_and_rank(
    api: aiohttp.ClientSession, owner: Any, role: str, body: dict[str, Any]
) -> None:
    status, told = await call(api, await admin(api, owner), "PATCH", f"/roles/{role}", body)

    assert (status, told["error"]["code"]) == (422, "UNPROCESSABLE_ENTITY")
    assert await events(owner, "role.changed") == []


@pytest.mark.parametrize("role", ["admin", "manager", "user", "guest"])
async def test_a_built_in_role_is_not_deleted(
    api: aiohttp.ClientSession, owner: Any, role: str
) -> None:
    status, told = await call(api, await admin(api, owner), "DELETE", f"/roles/{role}")

    assert (status, told["error"]["code"]) == (422, "UNPROCESSABLE_ENTITY")
    assert "Built-in" in told["error"]["message"]


async def test_of_a_built_in_role_description_and_permissions_change(
    api: aiohttp.ClientSession, owner: Any, matrix: None
) -> None:
    boss = await admin(api, owner)
    body = {"description": "Anybody.", "permissions": ["content:read", "users:read_own"]}

    status, told = await call(api, boss, "PATCH", "/roles/guest", body)
    await call(api, boss, "PATCH", "/roles/guest", {"description": "May read content"})

    assert status == 200
    assert told["data"]["permissions"] == ["content:read", "users:read_own"]


async def test_admin_keeps_every_permission(api: aiohttp.ClientSession, owner: Any) -> None:
    boss = await admin(api, owner)
    _, told = await call(api, boss, "GET", "/roles/admin")
    every = told["data"]["permissions"]
    assert every == sorted(Permission)

    less = await call(api, boss, "PATCH", "/roles/admin", {"permissions": every[1:]})
    none = await call(api, boss, "PATCH", "/roles/admin", {"permissions": []})
    whole = {"name": "admin", "rank": 1000, "permissions": every}
    same = await call(api, boss, "PUT", "/roles/admin", {"description": "Everything"} | whole)
    await call(api, boss, "PATCH", "/roles/admin", {"description": "Full access to everything"})

    assert (less[0], none[0], same[0]) == (422, 422, 200)
    assert less[1]["error"]["details"][0]["field"] == "permissions"
    assert (await call(api, boss, "GET", "/roles/admin"))[1]["data"]["permissions"] == every


async def test_a_role_of_ones_own_never_stands_as_high_as_admin(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    name = await own_role(owner)

    status, told = await call(
        api, await admin(api, owner), "PATCH", f"/roles/{name}", {"rank": 1000}
    )

    assert (status, told["error"]["details"][0]["field"]) == (400, "rank")


async def test_who_writes_roles_writes_into_them_only_what_they_have(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    own, other = await own_role(owner, *WRITER), await own_role(owner, "roles:write")
    who = await person(api, owner, own)
    more, new = {"permissions": ["users:read"]}, {"name": "mine", "rank": 50}

    found = [
        (await call(api, who, "POST", "/roles", new | more))[0],
        (await call(api, who, "PATCH", f"/roles/{other}", more))[0],
        (await call(api, who, "PATCH", f"/roles/{own}", more))[0],
        (await call(api, who, "PUT", f"/roles/{other}", new | more))[0],
        (await call(api, who, "PATCH", "/roles/guest", {"permissions": ["content:create"]}))[0],
    ]
    made = await call(api, who, "POST", "/roles", new | {"permissions": ["roles:assign"]})

    assert found == [403] * 5
    assert made[0] == 201
    assert len(await events(owner, "access.denied")) == 5
    assert await owner.fetchval(
        "SELECT count(*) FROM role_permissions JOIN roles ON roles.id = role_id"
        " WHERE NOT built_in AND permission NOT IN ('roles:write', 'roles:assign')"
    ) == 0  # fmt: skip


async def test_who_writes_roles_leaves_in_them_what_they_do_not_have(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    who = await holder(api, owner, *WRITER)
    theirs = await own_role(owner, "users:read", "roles:write", rank=20)
    body = {"permissions": ["users:read", "roles:assign"]}

    status, told = await call(api, who, "PATCH", f"/roles/{theirs}", body)

    assert (status, told["data"]["permissions"]) == (200, ["roles:assign", "users:read"])


async def test_nobody_writes_a_role_above_their_own(api: aiohttp.ClientSession, owner: Any) -> None:
    who = await holder(api, owner, *WRITER, rank=50)
    above, level = await own_role(owner, rank=51), await own_role(owner, rank=50)

    found = [
        (await call(api, who, "POST", "/roles", {"name": "mine", "rank": 51}))[0],
        (await call(api, who, "PATCH", f"/roles/{level}", {"rank": 51}))[0],
        (await call(api, who, "PATCH", f"/roles/{above}", {"rank": 1}))[0],
        (await call(api, who, "PATCH", f"/roles/{above}", {}))[0],
        (await call(api, who, "DELETE", f"/roles/{above}"))[0],
        (await call(api, who, "PATCH", "/roles/user", {"description": "x"}))[0],
    ]
    allowed = await call(api, who, "PATCH", f"/roles/{level}", {"rank": 49})

    assert found == [403] * 6
    assert allowed[0] == 200


async def test_a_role_in_use_stays_and_the_answer_says_how_many_have_it(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss, name = await admin(api, owner), await own_role(owner)
    first, second = await person(api, owner, name), await person(api, owner, name)

    refused = []
    for who in (first, second):
        refused.append(await call(api, boss, "DELETE", f"/roles/{name}"))
        await owner.execute("UPDATE users SET deleted_at = now() WHERE id = $1", id_of(who))
    done = await call(api, boss, "DELETE", f"/roles/{name}")

    assert [(status, told["error"]["code"]) for status, told in refused] == [(409, "CONFLICT")] * 2
    assert refused[0][1]["error"]["message"].startswith("2 users have this role.")
    assert refused[1][1]["error"]["message"].startswith("1 user has this role.")
    assert done[0] == 200


@pytest.mark.parametrize(
    ("many", "told"),
    [(1_000, "1,000 users have this role."), (1_001, "More than 1,000 users have this role.")],
)
async def test_who_has_a_role_is_counted_up_to_a_thousand(
    api: aiohttp.ClientSession, owner: Any, many: int, told: str
) -> None:
    boss, name = await admin(api, owner), await own_role(owner)
    await owner.execute(HOLDERS, name, many)

    status, body = await call(api, boss, "DELETE", f"/roles/{name}")

    assert status == 409
    assert body["error"]["message"].startswith(told)


async def test_a_role_is_not_deleted_from_under_who_is_just_given_it(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)
    who = await person(api, owner)
    for _ in range(8):
        name = await own_role(owner)
        given, deleted = await asyncio.gather(
            call(api, boss, "PUT", f"/users/{id_of(who)}/roles/{name}"),
            call(api, boss, "DELETE", f"/roles/{name}"),
        )

        assert (given[0], deleted[0]) in {(200, 409), (404, 200)}
        held = await owner.fetchval("SELECT count(*) FROM roles WHERE name = $1", name)
        assert held == (given[0] == 200)


async def test_a_role_is_not_deleted_while_somebody_is_being_made_who_has_it(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss, name, who = await admin(api, owner), await own_role(owner), await person(api, owner)

    async with owner.transaction():
        await owner.execute(ASSIGN, id_of(who), name)
        waiting = asyncio.create_task(call(api, boss, "DELETE", f"/roles/{name}"))
        await asyncio.sleep(0.3)

    assert (await waiting)[0] == 409
    assert await owner.fetchval("SELECT count(*) FROM roles WHERE name = $1", name) == 1


@pytest.mark.parametrize(
    "request_line",
    [
        ("POST", "/roles", {"name": "mine", "rank": 1}),
        ("PUT", "/roles/guest", GUEST),
        ("PATCH", "/roles/guest", {}),
        ("DELETE", "/roles/guest", None),
        ("PUT", "/users/me/roles/guest", None),
        ("DELETE", "/users/me/roles/guest", None),
        ("POST", "/users", {"email": "a@b.example", "firstName": "Ada", "lastName": "Lovelace",
                            "role": "guest"}),
    ],
)  # fmt: skip
async def test_whoever_changes_rights_has_proved_their_address(
    serve: Serve, api: aiohttp.ClientSession, owner: Any, request_line: tuple[str, str, Any]
) -> None:
    trusting = await serve(require_verified_email="off")
    boss = await admin(api, owner)
    await owner.execute("UPDATE users SET email_verified = false")

    status, told = await call(api, boss, *request_line)

    assert (status, told["error"]["code"]) == (403, "EMAIL_NOT_VERIFIED")
    assert (await call(trusting, boss, *request_line))[0] in {200, 201, 422}


async def test_managers_read_roles_and_others_do_not(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    paths = ("/permissions", "/roles", "/roles/guest")
    callers = [await manager(api, owner), await person(api, owner), None]

    found = [[(await call(api, who, "GET", path))[0] for path in paths] for who in callers]

    assert found == [[200] * 3, [403] * 3, [401] * 3]


async def test_strict_installations_insist_on_the_version_that_is_changed(
    serve: Serve, api: aiohttp.ClientSession, owner: Any
) -> None:
    strict = await serve(security_profile="strict")
    boss, name = await admin(api, owner), await own_role(owner)

    found = [
        (await call(strict, boss, method, f"/roles/{name}", body))[0]
        for method, body in (("PATCH", {"rank": 1}), ("DELETE", None))
    ]

    assert found == [428, 428]
    assert (await call(strict, boss, "DELETE", f"/roles/{name}", If_Match="*"))[0] == 200
