"""Who is in a team: put in, re-roled, taken out, listed; and whom one may do that to."""

from typing import Any

import aiohttp
import pytest

from storage.roles import BuiltInRole
from tests.api.teams import NOBODY, actions, custom, get, member, put, remove, team
from tests.factories import bearer, register
from tests.people import admin, call, id_of, manager, person

_FILL = """
WITH made AS (
    INSERT INTO users (id, email, first_name, last_name)
    SELECT gen_random_uuid(), 'filler' || number || '@example.com', 'Ada', 'Lovelace'
    FROM generate_series(1, $2) AS number RETURNING id
)
INSERT INTO team_members (team_id, user_id) SELECT $1, id FROM made
"""


async def test_a_second_time_nothing_happens(api: aiohttp.ClientSession, owner: Any) -> None:
    lead, ada = await manager(api, owner), await register(api)
    made = await team(api, lead)

    first, told = await put(api, lead, made, ada)
    before = await owner.fetchval("SELECT version FROM users WHERE id = $1", id_of(ada))
    second, again = await put(api, lead, made, ada, "member")

    assert (first, second) == (200, 200)
    assert told["data"] == again["data"]
    assert told["data"] | {"since": None} == {
        "userId": id_of(ada),
        "firstName": "Ada",
        "lastName": "Lovelace",
        "email": ada["user"]["email"],
        "role": "member",
        "since": None,
    }
    assert await owner.fetchval("SELECT version FROM users WHERE id = $1", id_of(ada)) == before
    assert (await get(api, lead, made))["version"] == 2
    assert (await actions(owner)).count("team.member_added") == 2


async def test_every_change_of_members_is_written_down_and_counts_both_versions(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead, ada = await manager(api, owner), await register(api)
    made = await team(api, lead)

    await put(api, lead, made, ada)
    _, told = await put(api, lead, made, ada, "manager")
    status = await remove(api, lead, made, ada)
    again = await remove(api, lead, made, ada)

    assert (told["data"]["role"], status, again) == ("manager", 200, 404)
    assert (await get(api, lead, made))["version"] == 4
    assert await owner.fetchval("SELECT version FROM users WHERE id = $1", id_of(ada)) == 4
    events = await owner.fetch(
        "SELECT action, facts::jsonb ->> 'team' AS team, facts::jsonb ->> 'left' AS left_it"
        " FROM audit_inbox WHERE subject_id = $1 AND action LIKE 'team.%' ORDER BY id",
        id_of(ada),
    )
    assert [tuple(row) for row in events] == [
        ("team.member_added", made["id"], None),
        ("team.member_changed", made["id"], None),
        ("team.member_removed", made["id"], "false"),
    ]


async def test_every_change_of_a_team_and_its_members_is_one_of_the_team(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead, ada = await manager(api, owner), await register(api)
    made = await team(api, lead)
    path = f"/teams/{made['id']}"
    changed_at = [await owner.fetchval("SELECT updated_at FROM teams")]

    for method, where, body in [
        ("PATCH", path, {"name": "Support"}),
        ("PUT", f"{path}/members/{id_of(ada)}", None),
        ("PUT", f"{path}/members/{id_of(ada)}", {"role": "manager"}),
        ("DELETE", f"{path}/members/{id_of(ada)}", None),
    ]:
        assert (await call(api, lead, method, where, body))[0] == 200
        changed_at.append(await owner.fetchval("SELECT updated_at FROM teams"))

    assert changed_at == sorted(set(changed_at))


async def test_the_etag_of_one_change_is_good_for_the_next(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead, ada = await manager(api, owner), await register(api)
    made = await team(api, lead)
    path = f"/api/v1/teams/{made['id']}"
    async with api.get(path, headers=bearer(lead)) as answer:
        tag = answer.headers["ETag"]

    found = []
    for role in ("member", "manager"):
        sent = bearer(lead) | {"If-Match": tag}
        where = f"{path}/members/{id_of(ada)}"
        async with api.put(where, json={"role": role}, headers=sent) as answer:
            found.append(answer.status)
            tag, used = answer.headers["ETag"], tag
    stale, _ = await call(api, lead, "PATCH", f"/teams/{made['id']}", {}, If_Match=used)

    assert found == [200, 200]
    assert stale == 412


@pytest.mark.parametrize(
    ("role", "added", "removed"),
    [("guest", 200, 200), ("user", 200, 200), ("manager", 403, 200), ("admin", 403, 403)],
)
async def test_a_manager_adds_those_below_and_takes_out_those_not_above(
    api: aiohttp.ClientSession, owner: Any, role: BuiltInRole, added: int, removed: int
) -> None:
    lead, who = await manager(api, owner), await person(api, owner, role)
    made = await team(api, lead)

    put_in, _ = await put(api, lead, made, who)
    await owner.execute(
        "INSERT INTO team_members (team_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        made["id"],
        id_of(who),
    )
    rerolled, _ = await put(api, lead, made, who, "manager")
    taken_out = await remove(api, lead, made, who)

    assert (put_in, rerolled, taken_out) == (added, removed, removed)


async def test_who_manages_every_team_adds_all_but_those_above(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss, peer = await admin(api, owner), await admin(api, owner)
    low = await custom(api, owner, "teams:manage", "users:read")
    made = await team(api, boss)

    found = [
        (await put(api, by, made, whom))[0]
        for by, whom in [(boss, peer), (low, await manager(api, owner)), (low, boss), (low, peer)]
    ]

    assert found == [200, 200, 403, 200]  # the last one is a member already
    assert await remove(api, low, made, peer) == 403
    assert (await put(api, low, made, await admin(api, owner)))[0] == 403


async def test_everybody_leaves_who_wants_to(api: aiohttp.ClientSession, owner: Any) -> None:
    lead = await manager(api, owner)
    made = await team(api, lead)
    guest = await person(api, owner, BuiltInRole.GUEST)
    await put(api, lead, made, guest)
    ada = await member(api, lead, made)
    bob = await member(api, lead, made)

    found = [
        await remove(api, guest, made, "me"),
        await remove(api, ada, made, id_of(ada)),
        await remove(api, ada, made, "me"),
        await remove(api, bob, made, lead),
        await remove(api, lead, made, "me"),
    ]

    assert found == [200, 200, 404, 403, 200]
    left = "SELECT count(*) FROM audit_inbox WHERE (facts::jsonb ->> 'left')::boolean"
    assert await owner.fetchval(left) == 3
    seen = await get(api, await admin(api, owner), made)
    assert (seen["memberCount"], seen["myRole"]) == (1, None)


async def test_nobody_leaves_a_team_that_changed_since_they_looked(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead = await manager(api, owner)
    made = await team(api, lead)
    ada = await member(api, lead, made)
    path = f"/teams/{made['id']}"
    async with api.get(f"/api/v1{path}", headers=bearer(ada)) as answer:
        seen = answer.headers["ETag"]
    await member(api, lead, made)

    stale, _ = await call(api, ada, "DELETE", f"{path}/members/me", If_Match=seen)

    assert stale == 412
    assert (await get(api, lead, made))["memberCount"] == 3


async def test_strangers_and_the_deleted_are_nobody(api: aiohttp.ClientSession, owner: Any) -> None:
    lead = await manager(api, owner)
    blind = await custom(api, owner, "teams:read_own", "teams:create", "teams:manage_own")
    made, own = await team(api, lead), await team(api, blind)
    gone, ada = await register(api), await register(api)
    await owner.execute("UPDATE users SET deleted_at = now() WHERE id = $1", id_of(gone))

    by_lead = [await put(api, lead, made, whom) for whom in (gone, NOBODY, "nonsense")]
    by_blind = [await put(api, blind, own, whom) for whom in (ada, gone, NOBODY, "nonsense")]

    assert [status for status, _ in by_lead + by_blind] == [404] * 7
    assert len({told["error"]["message"] for _, told in by_lead + by_blind}) == 1
    assert await owner.fetchval("SELECT count(*) FROM team_members") == 2


async def test_whom_one_sees_in_the_team_one_may_make_a_manager_of_it(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    blind = await custom(api, owner, "teams:read_own", "teams:create", "teams:manage_own")
    made = await team(api, blind)
    ada = await register(api)
    await put(api, await admin(api, owner), made, ada)

    status, told = await put(api, blind, made, ada, "manager")

    assert (status, told["data"]["role"]) == (200, "manager")


async def test_who_is_deleted_is_not_shown_and_restored_is_back(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead = await manager(api, owner)
    made = await team(api, lead)
    ada = await member(api, lead, made)
    path = f"/teams/{made['id']}/members"
    found = []

    for deleted_at in ("now()", "NULL"):
        await owner.execute(
            f"UPDATE users SET deleted_at = {deleted_at} WHERE id = $1",  # noqa: S608
            id_of(ada),
        )
        _, listed = await call(api, lead, "GET", path)
        _, teams = await call(api, lead, "GET", f"/teams?filter[member]={id_of(ada)}")
        count = (await get(api, lead, made))["memberCount"]
        found.append((len(listed["data"]), len(teams["data"]), count))

    assert found == [(1, 0, 1), (2, 1, 2)]


async def test_a_deleted_account_makes_no_version_of_the_team_and_no_copy_of_it_good(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)
    made = await team(api, boss)
    ada, path = await member(api, boss, made), f"/api/v1/teams/{made['id']}"
    async with api.get(path, headers=bearer(boss)) as answer:
        read, before = answer.headers["ETag"], (await answer.json())["data"]

    await call(api, boss, "DELETE", f"/users/{id_of(ada)}")
    async with api.get(path, headers=bearer(boss) | {"If-None-Match": read}) as answer:
        status, after = answer.status, (await answer.json())["data"]
    _, changed = await call(api, boss, "PATCH", f"/teams/{made['id']}", {}, If_Match=read)

    assert (status, after) == (200, before | {"memberCount": 1})
    assert changed["data"] == after


async def test_a_full_team_takes_nobody_more(api: aiohttp.ClientSession, owner: Any) -> None:
    boss, ada = await admin(api, owner), await register(api)
    made = await team(api, boss)
    await owner.execute(_FILL, made["id"], 998)

    last, _ = await put(api, boss, made, ada)
    full, told = await put(api, boss, made, await register(api))
    changed, _ = await put(api, boss, made, ada, "manager")
    deleted, _ = await call(api, boss, "DELETE", f"/teams/{made['id']}")

    assert (last, full, told["error"]["code"], changed, deleted) == (200, 409, "CONFLICT", 200, 200)


async def test_who_is_restored_is_back_in_a_team_that_was_filled_meanwhile(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)
    made = await team(api, boss)
    ada = await member(api, boss, made)
    await call(api, boss, "DELETE", f"/users/{id_of(ada)}")
    await owner.execute(_FILL, made["id"], 999)

    await call(api, boss, "POST", f"/users/{id_of(ada)}/restore")

    assert (await get(api, boss, made))["memberCount"] == 1001
    assert (await put(api, boss, made, await register(api)))[0] == 409


async def test_a_place_is_member_or_manager(api: aiohttp.ClientSession, owner: Any) -> None:
    lead, ada = await manager(api, owner), await register(api)
    made = await team(api, lead)
    path = f"/teams/{made['id']}/members/{id_of(ada)}"

    found = [
        (await call(api, lead, "PUT", path, body))[0]
        for body in ({"role": "owner"}, {"role": None}, {"role": ["member"]}, {"rank": 1}, [], {})
    ]

    assert found == [400, 400, 400, 400, 400, 200]
