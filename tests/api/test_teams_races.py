"""Teams under many hands at once: one wins, nobody waits for ever, nothing is left half done."""

import asyncio
from collections import Counter
from typing import Any

import aiohttp

from storage.teams.repository import LOCK_NAMES
from tests.api.teams import actions, get, put, remove, team
from tests.factories import register
from tests.people import admin, call, id_of, manager


async def test_of_two_who_take_one_name_at_once_one_gets_it(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    people = [await manager(api, owner) for _ in range(2)]

    found = await asyncio.gather(
        *(
            call(api, people[number % 2], "POST", "/teams", {"name": f"{letter}upport"})
            for number, letter in enumerate("SsSsSsSs")
        )
    )

    assert Counter(status for status, _ in found) == {201: 1, 409: 7}
    assert await owner.fetchval("SELECT count(*) FROM teams") == 1
    assert await owner.fetchval("SELECT count(*) FROM team_members") == 1


async def test_whoever_renames_a_team_holds_nothing_while_another_one_does(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead = await manager(api, owner)
    one, two = await team(api, lead, name="One"), await team(api, lead, name="Two")

    async with owner.transaction():
        await owner.execute(LOCK_NAMES)
        await owner.execute("UPDATE teams SET name = 'Three' WHERE id = $1", two["id"])
        asked = call(api, lead, "PATCH", f"/teams/{one['id']}", {"name": "two"})
        waiting = asyncio.create_task(asked)
        await asyncio.sleep(0.3)
        await owner.execute("UPDATE teams SET description = 'x' WHERE id = $1", one["id"])

    status, told = await waiting
    assert (status, told["data"]["name"], told["data"]["description"]) == (200, "two", "x")


async def test_whoever_deletes_a_team_locks_its_people_by_their_ids(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)
    first, last = await register(api), await register(api)
    made = await team(api, boss)
    for who in (last, first):  # as they lie in the table
        await put(api, boss, made, who)
    await remove(api, boss, made, boss)

    async with owner.transaction():
        await owner.execute("UPDATE users SET locale = 'de' WHERE id = $1", id_of(first))
        waiting = asyncio.create_task(call(api, boss, "DELETE", f"/teams/{made['id']}"))
        await asyncio.sleep(0.3)
        await owner.execute("UPDATE users SET locale = 'de' WHERE id = $1", id_of(last))

    assert (await waiting)[0] == 200


async def test_who_is_deleted_while_they_are_added_is_not_added(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead, ada = await manager(api, owner), await register(api)
    made = await team(api, lead)

    async with owner.transaction():
        await owner.execute("UPDATE users SET deleted_at = now() WHERE id = $1", id_of(ada))
        waiting = asyncio.create_task(put(api, lead, made, ada))
        await asyncio.sleep(0.3)

    assert (await waiting)[0] == 404
    assert await owner.fetchval("SELECT count(*) FROM team_members") == 1


async def test_the_same_member_put_twenty_times_at_once_is_there_once(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead, ada = await manager(api, owner), await register(api)
    made = await team(api, lead)

    found = await asyncio.gather(*(put(api, lead, made, ada) for _ in range(20)))

    assert {status for status, _ in found} == {200}
    assert len({str(told["data"]) for _, told in found}) == 1
    assert (await get(api, lead, made)) | {"updatedAt": None} == made | {
        "memberCount": 2,
        "version": 2,
        "updatedAt": None,
    }
    assert (await actions(owner)).count("team.member_added") == 2
    assert await owner.fetchval("SELECT version FROM users WHERE id = $1", id_of(ada)) == 2


async def test_a_team_is_deleted_while_people_come_and_go(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead = await manager(api, owner)
    people = [await register(api) for _ in range(6)]
    found: list[int] = []

    for _ in range(5):
        made = await team(api, lead)
        await asyncio.gather(*(put(api, lead, made, who) for who in people[:3]))

        async def added(who: Any, where: dict[str, Any] = made) -> int:
            return (await put(api, lead, where, who))[0]

        async def deleted(where: dict[str, Any] = made) -> int:
            return (await call(api, lead, "DELETE", f"/teams/{where['id']}"))[0]

        found += await asyncio.gather(
            *(added(who) for who in people[3:]),
            deleted(),
            *(remove(api, lead, made, who) for who in people[:3]),
            deleted(),
        )

    assert set(found) <= {200, 404}
    assert found.count(200) >= 5
    assert await owner.fetchval("SELECT count(*) FROM teams") == 0
    assert await owner.fetchval("SELECT count(*) FROM team_members") == 0


async def test_teams_with_the_same_members_are_deleted_at_once(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)
    people = [await register(api) for _ in range(8)]
    teams = [await team(api, boss) for _ in range(4)]
    for number, made in enumerate(teams):
        for who in people if number % 2 else reversed(people):
            await put(api, boss, made, who)

    found = await asyncio.gather(
        *(call(api, boss, "DELETE", f"/teams/{made['id']}") for made in teams)
    )

    assert [status for status, _ in found] == [200] * 4


async def test_of_many_changes_to_one_version_one_is_made(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead = await manager(api, owner)
    made = await team(api, lead)
    people = [await register(api) for _ in range(4)]
    path, seen = f"/teams/{made['id']}", '"1-00000000"'

    found = await asyncio.gather(
        *(
            call(api, lead, "PATCH", path, {"name": f"Name {number}"}, If_Match=seen)
            for number in range(4)
        ),
        *(put(api, lead, made, who, If_Match=seen) for who in people),
    )

    assert Counter(status for status, _ in found) == {200: 1, 412: 7}
    assert (await get(api, lead, made))["version"] == 2


async def test_members_of_one_team_change_while_their_accounts_are_deleted(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)
    people = [await register(api) for _ in range(4)]
    made = await team(api, boss)

    found = await asyncio.gather(
        *(put(api, boss, made, who) for who in people),
        *(call(api, who, "DELETE", "/auth/me") for who in people),
        *(put(api, boss, made, who, "manager") for who in people),
    )

    assert {status for status, _ in found} <= {200, 404}
    assert (await get(api, boss, made))["memberCount"] == 1
