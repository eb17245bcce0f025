"""Roles are given and taken within one's own rights; the last administrator stays one."""

import asyncio
from typing import Any

import aiohttp
import pytest

from ops.ids import new_id
from storage.roles import Permission
from storage.roles.repository import LOCK_ADMINS
from tests.api.holders import events, holder, own_role
from tests.conftest import Serve
from tests.factories import bearer
from tests.people import Person, admin, call, id_of, manager, person

ADMINS = """
SELECT count(*) FROM user_roles JOIN roles ON roles.id = role_id JOIN users ON users.id = user_id
WHERE roles.name = 'admin' AND is_active AND deleted_at IS NULL
"""
GIVEN_AND_TAKEN = ("user.role_given", "user.role_taken")
ASSIGNER = (Permission.ROLES_ASSIGN, Permission.USERS_READ)


def held(who: Person, role: str) -> str:
    """Return the path of a role somebody has or is to have."""
    return f"/users/{id_of(who)}/roles/{role}"


async def version(owner: Any, who: Person) -> int:
    return int(await owner.fetchval("SELECT version FROM users WHERE id = $1", id_of(who)))


@pytest.mark.parametrize("by", ["name", "id"])
async def test_a_role_is_given_and_taken_once_however_often_it_is_asked_for(
    api: aiohttp.ClientSession, owner: Any, by: str
) -> None:
    boss, who = await admin(api, owner), await person(api, owner)
    role = await owner.fetchval(f"SELECT {by}::text FROM roles WHERE name = 'manager'")  # noqa: S608
    versions, told = [await version(owner, who)], []

    for method in ("PUT", "PUT", "DELETE", "DELETE"):
        told.append(await call(api, boss, method, held(who, str(role))))
        versions.append(await version(owner, who))

    assert [status for status, _ in told] == [200] * 4
    given = {"userId": id_of(who), "role": "manager", "roles": ["manager", "user"]}
    taken = given | {"role": "user", "roles": ["user"]}
    assert [answer["data"] for _, answer in told] == [given, given, taken, taken]
    assert [after - versions[0] for after in versions] == [0, 1, 1, 2, 2]
    role_id = await owner.fetchval("SELECT id::text FROM roles WHERE name = 'manager'")
    facts = {"role": "manager", "role_id": role_id}
    assert await events(owner, *GIVEN_AND_TAKEN) == [(action, facts) for action in GIVEN_AND_TAKEN]


async def test_one_role_given_twenty_times_at_once_is_given_once(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss, who = await admin(api, owner), await person(api, owner)
    before = await version(owner, who)

    for method in ("PUT", "DELETE"):
        answers = await asyncio.gather(
            *(call(api, boss, method, held(who, "manager")) for _ in range(20))
        )
        assert {status for status, _ in answers} == {200}

    assert await version(owner, who) == before + 2
    assert len(await events(owner, *GIVEN_AND_TAKEN)) == 2


async def test_who_loses_every_role_is_a_guest(api: aiohttp.ClientSession, owner: Any) -> None:
    boss, who = await admin(api, owner), await person(api, owner)

    _, told = await call(api, boss, "DELETE", held(who, "user"))

    assert (told["data"]["role"], told["data"]["roles"]) == ("guest", [])
    assert (await call(api, who, "GET", f"/users/{id_of(who)}"))[0] == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_whom_one_cannot_see_is_not_found_and_neither_is_a_role_that_is_not_there(
    api: aiohttp.ClientSession, owner: Any, method: str
) -> None:
    boss, gone, living = await admin(api, owner), await person(api, owner), await person(api, owner)
    blind = await holder(api, owner, Permission.ROLES_ASSIGN, rank=900)
    await owner.execute("UPDATE users SET deleted_at = now() WHERE id = $1", id_of(gone))
    paths = [
        (boss, held(gone, "user")),
        (boss, f"/users/{new_id()}/roles/user"),
        (boss, "/users/nobody/roles/user"),
        (boss, held(living, "nothing")),
        (boss, held(living, str(new_id()))),
        (boss, held(living, "%00")),
        (blind, held(living, "guest")),
    ]

    found = [await call(api, who, method, path) for who, path in paths]

    assert [status for status, _ in found] == [404] * len(paths)
    assert {told["error"]["code"] for _, told in found} == {"NOT_FOUND"}


async def test_who_is_suspended_can_be_given_a_role(api: aiohttp.ClientSession, owner: Any) -> None:
    boss, who = await admin(api, owner), await person(api, owner)
    await owner.execute("UPDATE users SET is_active = false WHERE id = $1", id_of(who))

    found = [(await call(api, boss, how, held(who, "manager")))[0] for how in ("PUT", "DELETE")]

    assert found == [200, 200]


async def test_nobody_gives_a_role_that_permits_more_than_theirs(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    who, other = await holder(api, owner, *ASSIGNER, rank=600), await person(api, owner)
    less = await own_role(owner, Permission.USERS_READ)
    more = await own_role(owner, Permission.USERS_READ, Permission.USERS_DELETE)

    found = [
        (await call(api, who, "PUT", held(target, role)))[0]
        for target in (other, who)
        for role in (more, "manager", "admin", less)
    ]

    assert found == [403, 403, 403, 200] * 2
    assert len(await events(owner, "user.role_given")) == 2


async def test_nobody_gives_a_role_above_their_own(api: aiohttp.ClientSession, owner: Any) -> None:
    who, other = await holder(api, owner, *ASSIGNER, rank=100), await person(api, owner)
    roles = [await own_role(owner, rank=rank) for rank in (99, 100, 101)]

    found = [(await call(api, who, "PUT", held(other, role)))[0] for role in roles]

    assert found == [200, 200, 403]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_nobody_changes_the_roles_of_who_stands_higher(
    api: aiohttp.ClientSession, owner: Any, method: str
) -> None:
    who = await holder(api, owner, *ASSIGNER, rank=400)
    higher, low = await manager(api, owner), await own_role(owner, rank=1)
    await owner.execute(
        "INSERT INTO user_roles SELECT $1, id FROM roles WHERE name = 'user'", id_of(higher)
    )

    found = [(await call(api, who, method, held(higher, role)))[0] for role in (low, "user")]

    assert found == [403, 403]
    assert len(await events(owner, "access.denied")) == 2
    assert await events(owner, *GIVEN_AND_TAKEN) == []


async def test_the_last_administrator_stays_one(api: aiohttp.ClientSession, owner: Any) -> None:
    boss, other = await admin(api, owner), await admin(api, owner)
    await owner.execute("UPDATE users SET is_active = false WHERE id = $1", id_of(other))

    status, told = await call(api, boss, "DELETE", held(boss, "admin"))

    assert (status, told["error"]["code"]) == (409, "CONFLICT")
    assert (await call(api, boss, "DELETE", held(other, "admin")))[0] == 200
    await call(api, boss, "PUT", held(await person(api, owner), "admin"))
    assert (await call(api, boss, "DELETE", held(boss, "admin")))[0] == 200
    assert await owner.fetchval(ADMINS) == 1
    assert (await call(api, boss, "GET", "/roles"))[0] == 403


async def test_who_has_not_chosen_a_password_yet_is_no_administrator_to_leave_behind(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)
    new = {"email": "tpyo@example.com", "firstName": "Ada", "lastName": "Lovelace", "role": "admin"}
    invited = (await call(api, boss, "POST", "/users", new))[1]["data"]["id"]

    alone = [
        (await call(api, boss, "DELETE", held(boss, "admin")))[0],
        (await call(api, boss, "DELETE", f"/users/{invited}/roles/admin"))[0],
    ]
    await call(api, boss, "PUT", f"/users/{invited}/roles/admin")
    await owner.execute("UPDATE users SET password_hash = 'x' WHERE id = $1", invited)

    assert alone == [409, 200]
    assert (await call(api, boss, "DELETE", held(boss, "admin")))[0] == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_role_is_given_and_taken_of_the_person_one_has_seen(
    api: aiohttp.ClientSession, owner: Any, serve: Serve, method: str
) -> None:
    boss, who = await admin(api, owner), await person(api, owner)
    if method == "DELETE":
        await call(api, boss, "PUT", held(who, "manager"))
    strict, path = await serve(security_profile="strict"), held(who, "manager")
    async with api.get(f"/api/v1/users/{id_of(who)}", headers=bearer(boss)) as answer:
        seen = answer.headers["ETag"]
    await call(api, who, "PATCH", "/users/me", {"firstName": "Eve"})

    late = (await call(api, boss, method, path, If_Match=seen))[0]
    unseen = (await call(strict, boss, method, path))[0]
    async with api.get(f"/api/v1/users/{id_of(who)}", headers=bearer(boss)) as answer:
        seen = answer.headers["ETag"]

    assert (late, unseen) == (412, 428)
    assert (await call(strict, boss, method, path, If_Match=seen))[0] == 200


async def test_two_administrators_who_take_each_others_role_leave_one(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    for _ in range(8):
        one, other = await admin(api, owner), await admin(api, owner)
        answers = await asyncio.gather(
            call(api, one, "DELETE", held(other, "admin")),
            call(api, other, "DELETE", held(one, "admin")),
        )

        assert sorted(status for status, _ in answers) == [200, 403]
        assert await owner.fetchval(ADMINS) == 1
        await owner.execute("DELETE FROM user_roles")


async def test_of_many_who_resign_at_once_one_stays(api: aiohttp.ClientSession, owner: Any) -> None:
    people = [await admin(api, owner) for _ in range(5)]

    answers = await asyncio.gather(
        *(call(api, who, "DELETE", held(who, "admin")) for who in people)
    )

    assert sorted(status for status, _ in answers) == [200] * 4 + [409]
    assert await owner.fetchval(ADMINS) == 1


async def test_resigning_and_leaving_at_once_leave_one_administrator(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    for _ in range(5):
        one, other = await admin(api, owner), await admin(api, owner)
        answers = await asyncio.gather(
            call(api, one, "DELETE", held(one, "admin")), call(api, other, "DELETE", "/auth/me")
        )

        assert sorted(status for status, _ in answers) == [200, 409]
        assert await owner.fetchval(ADMINS) == 1
        await owner.execute("DELETE FROM user_roles")


async def test_who_lost_their_right_while_they_waited_does_not_use_it(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)
    for _ in range(8):
        who, friend = await admin(api, owner), await person(api, owner)
        taken, *given = await asyncio.gather(
            call(api, boss, "DELETE", held(who, "admin")),
            *(call(api, who, "PUT", held(friend, "admin")) for _ in range(3)),
        )

        assert taken[0] == 200
        assert {status for status, _ in given} <= {200, 403}
        rows = await owner.fetch(
            "SELECT action FROM audit_inbox WHERE actor_id = $1 OR subject_id = $1 ORDER BY id",
            id_of(who),
        )
        actions = [row["action"] for row in rows if row["action"] in GIVEN_AND_TAKEN]
        # What they gave, they gave before.
        assert actions[-1] == "user.role_taken"


@pytest.mark.parametrize(
    "lose",
    [
        "DELETE FROM role_permissions USING roles WHERE roles.id = role_id AND name = $1",
        "UPDATE roles SET rank = 1 WHERE name = $1",
        "UPDATE sessions SET ended_at = now() WHERE $1 <> ''",
    ],
)
async def test_a_right_that_ends_while_its_holder_waits_is_not_used(
    api: aiohttp.ClientSession, owner: Any, lose: str
) -> None:
    role = await own_role(owner, *ASSIGNER, rank=600)
    who, other = await person(api, owner, role), await person(api, owner)
    low = await own_role(owner, rank=1)

    async with owner.transaction():
        await owner.execute(LOCK_ADMINS)
        asking = asyncio.create_task(call(api, who, "PUT", held(other, low)))
        await asyncio.sleep(0.3)
        assert not asking.done()
        await owner.execute(lose, role)
    status, _ = await asking

    assert status in {401, 403}
    assert await events(owner, "user.role_given") == []
