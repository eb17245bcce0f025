"""Whom managers of teams may change: members of a team of theirs who do not stand above them."""

from typing import Any

import aiohttp
import pytest

from storage.roles import BuiltInRole
from tests.api.teams import actions, custom, member, put, remove, team
from tests.factories import register
from tests.people import Person, admin, call, id_of, manager, person

_JOIN = "INSERT INTO team_members (team_id, user_id, role) VALUES ($1, $2, $3)"


async def rename(api: aiohttp.ClientSession, by: Person, whom: Person) -> int:
    """Change somebody's first name; return the status."""
    status, _ = await call(api, by, "PATCH", f"/users/{id_of(whom)}", {"firstName": "Grace"})
    return status


async def test_a_manager_changes_members_of_their_team_and_nobody_else(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead, other = await manager(api, owner), await manager(api, owner)
    made = await team(api, lead)
    await team(api, other)
    ada, bob = await member(api, lead, made), await register(api)

    found = [
        await rename(api, by, whom)
        for by, whom in [(lead, ada), (lead, bob), (other, ada), (ada, bob)]
    ]

    assert found == [200, 403, 403, 404]
    changed = await owner.fetch("SELECT id FROM users WHERE first_name = 'Grace'")
    assert [str(row["id"]) for row in changed] == [id_of(ada)]


async def test_who_left_the_team_is_out_of_reach(api: aiohttp.ClientSession, owner: Any) -> None:
    lead = await manager(api, owner)
    made, other = await team(api, lead), await team(api, lead)
    ada, bob = await member(api, lead, made), await member(api, lead, other)

    before = [await rename(api, lead, who) for who in (ada, bob)]
    await remove(api, lead, made, ada)
    await call(api, lead, "DELETE", f"/teams/{other['id']}")
    after = [await rename(api, lead, who) for who in (ada, bob)]

    assert (before, after) == ([200, 200], [403, 403])


@pytest.mark.parametrize(
    ("role", "status"), [("guest", 200), ("user", 200), ("manager", 200), ("admin", 403)]
)
async def test_nobody_above_is_within_reach_whoever_put_them_there(
    api: aiohttp.ClientSession, owner: Any, role: BuiltInRole, status: int
) -> None:
    lead, who = await manager(api, owner), await person(api, owner, role)
    made = await team(api, lead)
    await owner.execute(_JOIN, made["id"], id_of(who), "member")

    assert await rename(api, lead, who) == status


async def test_a_mere_member_reaches_nobody_whatever_their_role(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss, lead = await admin(api, owner), await manager(api, owner)
    made = await team(api, boss)
    await put(api, boss, made, lead)
    ada = await member(api, boss, made)

    as_member = await rename(api, lead, ada)
    await put(api, boss, made, lead, "manager")
    as_manager = await rename(api, lead, ada)
    await put(api, boss, made, lead, "member")
    again = await rename(api, lead, ada)

    assert (as_member, as_manager, again) == (403, 200, 403)


async def test_a_manager_of_a_team_whose_roles_do_not_permit_it_reaches_nobody(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)
    made = await team(api, boss)
    ada = await member(api, boss, made)
    appointed = await member(api, boss, made)
    reader = await custom(api, owner, "users:read", "users:update_own", "teams:manage_own")
    for who in (appointed, reader):
        assert (await put(api, boss, made, who, "manager"))[0] == 200

    found = [await rename(api, by, ada) for by in (appointed, reader)]

    assert found == [404, 403]
    assert await actions(owner, "user.changed") == []


async def test_nobody_of_ones_own_rank_can_be_added_to_get_hold_of_them(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead, peer = await manager(api, owner), await manager(api, owner)
    made = await team(api, lead)

    added, _ = await put(api, lead, made, peer)

    assert (added, await rename(api, lead, peer)) == (403, 403)


async def test_a_team_made_and_left_is_not_shown_again_to_who_may_not_see_it(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)
    who = await custom(api, owner, "teams:create")
    asked = (api, who, "POST", "/teams", {"name": "Support"})

    _, told = await call(*asked, Idempotency_Key="k")
    again, repeated = await call(*asked, Idempotency_Key="k")
    await put(api, boss, told["data"], boss, "manager")
    await remove(api, boss, told["data"], who)
    left, refused = await call(*asked, Idempotency_Key="k")

    assert (again, repeated["data"]) == (201, told["data"])
    assert (left, "Take a new key" in refused["error"]["message"]) == (404, True)


async def test_who_makes_teams_for_others_is_told_of_one_again(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    who = await custom(api, owner, "teams:create", "teams:manage", "users:read")
    body = {"name": "Support", "managerId": id_of(await register(api))}

    found = [await call(api, who, "POST", "/teams", body, Idempotency_Key="k") for _ in range(2)]

    assert [status for status, _ in found] == [201, 201]
    assert found[0][1]["data"] == found[1][1]["data"]
