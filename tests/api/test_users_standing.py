"""People who are deleted, restored, suspended and activated; an administrator is always left."""

import asyncio
import time
from itertools import permutations
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.api.flows import login, post
from tests.api.holders import own_role
from tests.conftest import Serve
from tests.factories import bearer, new_user, register
from tests.mailroom import Mailroom, kind_of, to_of, token_of
from tests.people import Person, admin, call, id_of, manager, person
from workers.toolbox import Tools

_ADMINS = """
SELECT count(*) FROM users JOIN user_roles ON user_id = users.id JOIN roles ON roles.id = role_id
WHERE roles.name = 'admin' AND deleted_at IS NULL AND is_active
"""


@pytest.fixture
def mailroom(tools: Tools, tmp_path: Path) -> Mailroom:
    return Mailroom(tools, tmp_path)


async def actions(owner: Any, who: Person) -> list[str]:
    """Return what the audit trail tells of somebody since they registered."""
    rows = await owner.fetch(
        "SELECT action FROM audit_inbox WHERE subject_id = $1 ORDER BY id", id_of(who)
    )
    return [row["action"] for row in rows if row["action"].startswith("user.")][1:]


async def test_whoever_is_deleted_is_out_and_their_address_is_free(
    api: aiohttp.ClientSession, owner: Any, mailroom: Mailroom
) -> None:
    boss, ada = await admin(api, owner), await person(api, owner, email="ada@example.com")
    await mailroom.deliver()
    await post(api, "forgot-password", email="ada@example.com")
    reset = token_of(await mailroom.one("reset"))

    status, body = await call(api, boss, "DELETE", f"/users/{id_of(ada)}")

    assert (status, body["message"]) == (200, "User deleted")
    assert (await call(api, ada, "GET", "/auth/me"))[0] == 401
    assert await login(api, "ada@example.com") == 401
    assert (await post(api, "reset-password", token=reset, newPassword="Other-Horse-9"))[0] == 400
    assert to_of(await mailroom.one("account_deleted")) == "ada@example.com"
    assert await owner.fetchval("SELECT count(*) FROM devices WHERE user_id = $1", id_of(ada)) == 0
    assert await actions(owner, ada) == ["user.deleted"]
    assert (await call(api, boss, "DELETE", f"/users/{id_of(ada)}"))[0] == 404
    await register(api, email="ada@example.com")


async def test_whoever_is_restored_signs_in_as_before(
    api: aiohttp.ClientSession, owner: Any, mailroom: Mailroom
) -> None:
    boss, ada = await admin(api, owner), await person(api, owner, email="ada@example.com")
    await call(api, boss, "DELETE", f"/users/{id_of(ada)}")
    await mailroom.deliver()

    found = [await call(api, boss, "POST", f"/users/{id_of(ada)}/restore") for _ in range(2)]

    assert [(status, body["data"]["status"]) for status, body in found] == [(200, "active")] * 2
    assert "deletedAt" not in found[0][1]["data"]
    assert [kind_of(letter) for letter in await mailroom.deliver()] == ["account_restored"]
    assert (await call(api, ada, "GET", "/auth/me"))[0] == 401
    assert await login(api, "ada@example.com") == 200
    assert await actions(owner, ada) == ["user.deleted", "user.restored"]


async def test_nobody_is_restored_to_an_address_where_somebody_else_lives(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss, ada = await admin(api, owner), await person(api, owner, email="ada@example.com")
    await call(api, boss, "DELETE", f"/users/{id_of(ada)}")
    await register(api, email="ada@example.com")

    status, body = await call(api, boss, "POST", f"/users/{id_of(ada)}/restore")

    assert (status, body["error"]["code"]) == (409, "DUPLICATE_ENTRY")
    assert [item["field"] for item in body["error"]["details"]] == ["email"]
    assert await actions(owner, ada) == ["user.deleted"]


async def test_whoever_is_suspended_is_out_until_activated_and_is_told_once(
    api: aiohttp.ClientSession, owner: Any, mailroom: Mailroom
) -> None:
    boss, ada = await admin(api, owner), await person(api, owner, email="ada@example.com")
    await mailroom.deliver()
    path = f"/users/{id_of(ada)}"

    suspended = [await call(api, boss, "POST", f"{path}/suspend") for _ in range(2)]
    letters = await mailroom.deliver()
    out = await login(api, "ada@example.com"), (await call(api, ada, "GET", "/auth/me"))[0]
    refreshed = (await post(api, "refresh", refreshToken=ada["refreshToken"]))[0]
    activated = [await call(api, boss, "POST", f"{path}/activate") for _ in range(2)]
    letters += await mailroom.deliver()

    assert [(code, body["data"]["status"]) for code, body in suspended] == [(200, "suspended")] * 2
    assert (out, refreshed) == ((403, 401), 401)
    assert [(code, body["data"]["status"]) for code, body in activated] == [(200, "active")] * 2
    assert [kind_of(letter) for letter in letters] == ["account_suspended", "account_restored"]
    assert await login(api, "ada@example.com") == 200
    assert (await call(api, ada, "GET", "/auth/me"))[0] == 401  # what was ended stays so
    assert await actions(owner, ada) == ["user.suspended", "user.activated"]
    reasons = await owner.fetch("SELECT end_reason FROM sessions WHERE ended_at IS NOT NULL")
    assert [row["end_reason"] for row in reasons] == ["suspended"]


@pytest.mark.parametrize(
    "way", ["POST {0}/suspend", "POST {0}/suspend POST {0}/activate", "DELETE {0} POST {0}/restore"]
)
async def test_what_was_read_of_somebody_is_stale_once_they_are_let_in_or_kept_out(
    api: aiohttp.ClientSession, owner: Any, way: str
) -> None:
    boss, ada = await admin(api, owner), await person(api, owner)
    path = f"/users/{id_of(ada)}"
    *before, method, last = way.format(path).split()
    if before:
        await call(api, boss, *before)
    async with api.get(f"/api/v1{path}", headers=bearer(boss)) as answer:
        seen = answer.headers["ETag"]

    done, _ = await call(api, boss, method, last)
    status, _ = await call(api, boss, "PATCH", path, {"firstName": "Eve"}, If_Match=seen)

    assert (done, status) == (200, 412)
    assert "user.changed" not in await actions(owner, ada)


async def test_a_suspended_administrator_is_refused_by_another_server_within_a_second(
    serve: Serve, owner: Any
) -> None:
    one, other = [await serve(rate_limit_authenticated="off") for _ in range(2)]
    boss, rogue = await admin(one, owner), await admin(one, owner)
    assert (await call(other, rogue, "GET", "/users"))[0] == 200

    await call(one, boss, "POST", f"/users/{id_of(rogue)}/suspend")

    started = time.monotonic()
    async with asyncio.timeout(5):
        while (await call(other, rogue, "GET", "/users"))[0] == 200:  # noqa: ASYNC110 - outside
            await asyncio.sleep(0.02)
    assert time.monotonic() - started < 1.5


async def test_a_removed_administrator_decides_nothing_although_a_server_remembers_them(
    serve: Serve, owner: Any
) -> None:
    one, other = [await serve(rate_limit_authenticated="off") for _ in range(2)]
    boss, rogue, ada = await admin(one, owner), await admin(one, owner), await person(one, owner)
    assert (await call(other, rogue, "GET", "/users"))[0] == 200

    await call(one, boss, "POST", f"/users/{id_of(rogue)}/suspend")
    found = await call(other, rogue, "DELETE", f"/users/{id_of(ada)}")

    assert found[0] == 401
    assert await actions(owner, ada) == []


async def test_whoever_was_lowered_decides_by_their_new_rank_although_a_server_remembers_them(
    serve: Serve, owner: Any
) -> None:
    one, other = [await serve(rate_limit_authenticated="off") for _ in range(2)]
    role = await own_role(owner, "users:read", "users:update", rank=500)
    boss, lowered = await admin(one, owner), await person(one, owner, role)
    lead = await manager(one, owner)
    assert (await call(other, lowered, "GET", "/users"))[0] == 200

    await call(one, boss, "PATCH", f"/roles/{role}", {"rank": 1})
    status, _ = await call(other, lowered, "POST", f"/users/{id_of(lead)}/suspend")

    assert status == 403
    assert await actions(owner, lead) == []


@pytest.mark.parametrize("own", ["suspend", "activate", "delete"])
async def test_nobody_removes_themselves_here(
    api: aiohttp.ClientSession, owner: Any, own: str
) -> None:
    boss, _ = await admin(api, owner), await admin(api, owner)

    for name in ("me", id_of(boss), id_of(boss).upper()):
        method, path = ("DELETE", "") if own == "delete" else ("POST", f"/{own}")
        status, _ = await call(api, boss, method, f"/users/{name}{path}")
        assert status == (200 if own == "activate" else 422)

    assert await actions(owner, boss) == []


@pytest.mark.parametrize("way", ["DELETE {}", "POST {}/suspend"])
async def test_the_last_administrator_stays_whoever_tries(
    api: aiohttp.ClientSession, owner: Any, way: str
) -> None:
    boss, other = await admin(api, owner), await admin(api, owner)
    # A role of its own that may do all that administrators may, and stands as high.
    await owner.execute("INSERT INTO roles (id, name, rank) SELECT $1, 'twin', rank FROM roles"
                        " WHERE name = 'admin'", id_of(other))  # fmt: skip
    await owner.execute("INSERT INTO role_permissions (role_id, permission) SELECT $1, permission"
                        " FROM role_permissions JOIN roles ON roles.id = role_id"
                        " WHERE name = 'admin'", id_of(other))  # fmt: skip
    await owner.execute("UPDATE user_roles SET role_id = $1 WHERE user_id = $1", id_of(other))
    method, path = way.format(f"/users/{id_of(boss)}").split()

    status, body = await call(api, other, method, path)

    await owner.execute("DELETE FROM user_roles WHERE role_id = $1", id_of(other))
    await owner.execute("DELETE FROM roles WHERE id = $1", id_of(other))
    assert (status, body["error"]["code"]) == (409, "CONFLICT")
    assert await actions(owner, boss) == []


async def test_of_administrators_who_remove_each_other_at_once_one_is_left(
    serve: Serve, owner: Any
) -> None:
    servers = [await serve(rate_limit_authenticated="off") for _ in range(2)]
    for _ in range(3):
        await owner.execute("DELETE FROM users")
        admins = [await admin(servers[0], owner) for _ in range(4)]
        ways = ["DELETE {}", "POST {}/suspend", "DELETE {}/roles/admin"]
        acts = [
            (who, ways[number % 3].format(f"/users/{id_of(whom)}").split())
            for number, (who, whom) in enumerate(permutations(admins, 2))
        ]

        found = await asyncio.gather(
            *(
                call(servers[number % 2], who, method, path)
                for number, (who, (method, path)) in enumerate(acts)
            )
        )

        assert {status for status, _ in found} <= {200, 401, 403, 404, 409}
        assert sum(status == 200 for status, _ in found) >= 3
        assert await owner.fetchval(_ADMINS) == 1


async def test_suspending_ten_times_at_once_is_one_event_and_one_letter(
    serve: Serve, owner: Any, mailroom: Mailroom
) -> None:
    api = await serve(rate_limit_authenticated="off")
    boss, ada = await admin(api, owner), await person(api, owner)
    await mailroom.deliver()

    found = await asyncio.gather(
        *(call(api, boss, "POST", f"/users/{id_of(ada)}/suspend") for _ in range(10))
    )

    assert {status for status, _ in found} == {200}
    assert [kind_of(letter) for letter in await mailroom.deliver()] == ["account_suspended"]
    assert await actions(owner, ada) == ["user.suspended"]


async def test_nobody_acts_on_whom_a_higher_role_stands_behind(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead, boss, ada = await manager(api, owner), await admin(api, owner), await person(api, owner)
    await owner.execute("INSERT INTO role_permissions (role_id, permission) SELECT id, unnest($1::"
                        "text[]) FROM roles WHERE name = 'manager'", _WIDER)  # fmt: skip
    try:
        acts = ["DELETE {}", "POST {}/suspend", "POST {}/activate", "POST {}/restore", "PATCH {}"]
        found = {}
        for name, who in (("boss", boss), ("ada", ada)):
            for act in acts:
                method, path = act.format(f"/users/{id_of(who)}").split()
                body = {"firstName": "Eve"} if method == "PATCH" else None
                found[name, act] = (await call(api, lead, method, path, body))[0]
        raised = await call(api, lead, "POST", "/users", _CREATED | {"role": "admin"})
        plain = await call(api, lead, "POST", "/users", _CREATED | {"email": new_user()["email"]})
    finally:
        await owner.execute("DELETE FROM role_permissions USING roles WHERE roles.id = role_id AND"
                            " name = 'manager' AND permission = ANY($1)", _WIDER)  # fmt: skip

    assert {found["boss", act] for act in acts} == {403}
    assert [found["ada", act] for act in acts] == [200, 404, 404, 200, 200]
    assert (raised[0], plain[0]) == (403, 201)
    assert await actions(owner, boss) == []


_WIDER = ["users:create", "users:update", "users:delete", "roles:assign"]
_CREATED = {"email": "new@example.com", "firstName": "Grace", "lastName": "Hopper"}
