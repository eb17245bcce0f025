"""Profiles: who sees and changes them, as a whole, and what becomes of two changes at once."""

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.conftest import Serve
from tests.factories import bearer, register
from tests.people import Person, admin, call, id_of, manager, person

FULL = {
    "bio": "Wrote the first compiler.\nFound a moth.",
    "phone": "+12025550123",
    "dateOfBirth": "1906-12-09",
    "timezone": "America/New_York",
    "language": "en-US",
    "notificationPreferences": {"newsletter": False, "security": {"email": True, "sms": False}},
    "profilePicture": "https://cdn.example.com/grace.jpg",
}
EMPTY: dict[str, Any] = {
    "bio": "",
    "phone": None,
    "dateOfBirth": None,
    "timezone": None,
    "language": "en",
    "notificationPreferences": {},
    "profilePicture": None,
}
NOBODY = "01935b5c-6d1e-7a3b-8c4d-5e6f708192a3"
_TEAM = """
WITH made AS (INSERT INTO teams (id, name) VALUES (gen_random_uuid(), 'Navy') RETURNING id)
INSERT INTO team_members (team_id, user_id, role)
SELECT id, $1::uuid, 'manager' FROM made UNION ALL SELECT id, $2::uuid, 'member' FROM made
"""
_NOTED = """
SELECT action, facts, actor_id::text AS actor, subject_id::text AS subject FROM audit_inbox
WHERE action LIKE 'profile.%' ORDER BY happened_at, id
"""


def of(who: Person) -> str:
    """Return the path of somebody's profile."""
    return f"/users/{id_of(who)}/profile"


async def etag(api: aiohttp.ClientSession, who: Person, path: str = "/users/me/profile") -> str:
    """Return the tag of a profile."""
    async with api.get(f"/api/v1{path}", headers=bearer(who)) as answer:
        assert answer.status == 200
        return answer.headers["ETag"]


async def test_whoever_never_wrote_a_profile_has_an_empty_one(api: aiohttp.ClientSession) -> None:
    ada = await register(api, firstName="Ada", lastName="Lovelace")

    status, told = await call(api, ada, "GET", "/users/me/profile")

    assert status == 200
    assert told["data"] == EMPTY | {
        "userId": id_of(ada),
        "firstName": "Ada",
        "lastName": "Lovelace",
        "updatedAt": None,
        "unreadable": [],
    }
    assert (await call(api, ada, "GET", of(ada)))[1]["data"] == told["data"]


async def test_a_profile_is_replaced_as_a_whole(api: aiohttp.ClientSession) -> None:
    ada = await register(api)

    status, told = await call(api, ada, "PUT", of(ada), FULL)
    read = await call(api, ada, "GET", of(ada))
    _, less = await call(api, ada, "PUT", of(ada), {"bio": "Less."})

    assert status == 200
    assert {name: told["data"][name] for name in FULL} == FULL
    assert told["data"]["updatedAt"] is not None
    assert read[1]["data"] == told["data"]
    assert {name: less["data"][name] for name in FULL} == EMPTY | {"bio": "Less."}


async def test_the_picture_is_that_of_the_user(api: aiohttp.ClientSession, owner: Any) -> None:
    ada = await register(api)
    version = "SELECT version FROM users"
    before = await owner.fetchval(version)

    await call(api, ada, "PUT", of(ada), {"avatar": "https://cdn.example.com/ada.jpg"})
    _, me = await call(api, ada, "GET", "/auth/me")

    assert me["data"]["profilePicture"] == "https://cdn.example.com/ada.jpg"
    assert await owner.fetchval(version) == before + 1
    both = {"avatar": None, "profilePicture": None}
    assert (await call(api, ada, "PUT", of(ada), both))[0] == 400
    await call(api, ada, "PUT", of(ada), {"avatar": "https://cdn.example.com/ada.jpg", "bio": "x"})
    assert await owner.fetchval(version) == before + 1


async def test_every_replacement_is_dated_and_that_of_a_picture_as_one_of_the_person(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await register(api)
    await call(api, ada, "PUT", of(ada), FULL)
    times = "SELECT users.updated_at, profiles.updated_at FROM users, user_profiles AS profiles"
    first = await owner.fetchrow(times)

    await call(api, ada, "PUT", of(ada), FULL | {"bio": "Retired."})
    second = await owner.fetchrow(times)
    await call(api, ada, "PUT", of(ada), FULL | {"profilePicture": None})
    third = await owner.fetchrow(times)

    assert second[0] == first[0]
    assert second[1] > first[1]
    assert third[0] > second[0]


async def test_the_alias_answers_too(api: aiohttp.ClientSession) -> None:
    ada = await register(api)

    async with api.get(f"/api{of(ada)}", headers=bearer(ada)) as answer:
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "no-store"


async def test_a_strangers_profile_is_like_that_of_nobody(api: aiohttp.ClientSession) -> None:
    ada, bob = await register(api), await register(api)
    told = []

    for user_id in (id_of(bob), NOBODY, "x", "..%2fme"):
        for method, body in (("GET", None), ("PUT", FULL)):
            status, answer = await call(api, ada, method, f"/users/{user_id}/profile", body)
            told.append((status, answer["error"]["message"]))

    assert set(told) == {(404, "There is no such user.")}
    assert (await call(api, bob, "GET", of(bob)))[1]["data"]["bio"] == ""


async def test_the_deleted_have_no_profile(api: aiohttp.ClientSession, owner: Any) -> None:
    root, ada = await admin(api, owner), await register(api)
    await owner.execute("UPDATE users SET deleted_at = now() WHERE id = $1", id_of(ada))

    assert (await call(api, root, "GET", of(ada)))[0] == 404
    assert (await call(api, root, "PUT", of(ada), FULL))[0] == 404


async def test_managers_read_all_and_change_whom_their_teams_hold(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss, ada, bob = await manager(api, owner), await person(api, owner), await person(api, owner)
    await owner.execute(_TEAM, id_of(boss), id_of(ada))

    told = [
        (await call(api, boss, method, of(who), body))[0]
        for who in (ada, bob)
        for method, body in (("GET", None), ("PUT", FULL))
    ]

    assert told == [200, 200, 200, 403]
    assert (await call(api, ada, "GET", of(ada)))[1]["data"]["phone"] == FULL["phone"]
    assert (await call(api, bob, "GET", of(bob)))[1]["data"]["phone"] is None


async def test_nobody_changes_whom_a_higher_role_stands_behind(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    root, boss = await admin(api, owner), await manager(api, owner)
    await owner.execute(_TEAM, id_of(boss), id_of(root))

    assert (await call(api, boss, "PUT", of(root), FULL))[0] == 403
    assert (await call(api, root, "PUT", of(boss), FULL))[0] == 200
    assert (await call(api, root, "GET", of(root)))[1]["data"]["bio"] == ""


async def test_guests_and_strangers_get_nowhere(api: aiohttp.ClientSession, owner: Any) -> None:
    guest = await person(api, owner, "guest")

    for method, body in (("GET", None), ("PUT", FULL)):
        assert (await call(api, guest, method, of(guest), body))[0] == 403
        assert (await call(api, None, method, of(guest), body))[0] == 401


async def test_changes_and_looks_by_others_are_noted_without_what_was_written(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    root, ada = await admin(api, owner), await person(api, owner)

    await call(api, ada, "GET", of(ada))
    await call(api, ada, "PUT", of(ada), {"bio": "b", "phone": "+12025550123"})
    await call(api, ada, "PUT", of(ada), {"bio": "b", "phone": "+12025550123"})
    await call(api, root, "GET", of(ada))
    await call(api, root, "PUT", of(ada), {"phone": "+12025550123"})

    rows = [dict(row) for row in await owner.fetch(_NOTED)]
    assert [(row["action"], row["facts"], row["actor"] == id_of(root)) for row in rows] == [
        ("profile.changed", '{"fields": "bio,phone"}', False),
        ("profile.read", "{}", True),
        ("profile.changed", '{"fields": "bio"}', True),
    ]
    assert {row["subject"] for row in rows} == {id_of(ada)}


async def test_what_changes_nothing_leaves_the_version(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await register(api)
    empty = await etag(api, ada)

    assert (await call(api, ada, "PUT", of(ada), {}))[0] == 200
    assert await etag(api, ada) == empty
    await call(api, ada, "PUT", of(ada), FULL)
    full = await etag(api, ada)
    await call(api, ada, "PUT", of(ada), FULL)
    assert await etag(api, ada) == full != empty
    assert await owner.fetchval("SELECT version FROM user_profiles") == 1


async def test_a_profile_that_is_known_is_not_sent_again(api: aiohttp.ClientSession) -> None:
    ada = await register(api)
    tag = await etag(api, ada)
    known = bearer(ada) | {"If-None-Match": tag}

    async with api.get(f"/api/v1{of(ada)}", headers=known) as answer:
        assert (answer.status, await answer.read()) == (304, b"")
    await call(api, ada, "PUT", of(ada), {"bio": "New."})
    async with api.get(f"/api/v1{of(ada)}", headers=known) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("before", [{}, FULL], ids=["never written", "written"])
async def test_of_twenty_changes_to_one_version_one_is_made(
    api: aiohttp.ClientSession, owner: Any, before: dict[str, Any]
) -> None:
    ada = await register(api)
    await call(api, ada, "PUT", of(ada), before)
    tag = await etag(api, ada)

    told = await asyncio.gather(
        *(
            call(api, ada, "PUT", of(ada), {"bio": f"Number {number}."}, If_Match=tag)
            for number in range(20)
        )
    )

    won = [answer["data"]["bio"] for status, answer in told if status == 200]
    assert sorted(status for status, _ in told) == [200] + [412] * 19
    assert await owner.fetchval("SELECT bio FROM user_profiles") == won[0]


async def test_a_picture_changed_elsewhere_makes_a_profiles_tag_stale(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await register(api)
    await call(api, ada, "PUT", of(ada), {"bio": "Mine."})
    tag = await etag(api, ada)
    await owner.execute("UPDATE users SET profile_picture_url = 'https://x.y/', version = 9")

    assert (await call(api, ada, "PUT", of(ada), {"bio": "Again."}, If_Match=tag))[0] == 412
    assert await owner.fetchval("SELECT profile_picture_url FROM users") == "https://x.y/"


async def test_many_changes_without_a_tag_are_all_made_one_after_another(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await register(api)

    told = await asyncio.gather(
        *(call(api, ada, "PUT", of(ada), {"bio": f"Number {number}."}) for number in range(10))
    )

    assert {status for status, _ in told} == {200}
    assert await owner.fetchval("SELECT version FROM user_profiles") == 10


async def test_where_versions_are_insisted_on_a_change_names_one(serve: Serve, owner: Any) -> None:
    api = await serve(security_profile="strict", require_verified_email="off")
    root = await admin(await serve(), owner)
    tag = await etag(api, root)

    assert (await call(api, root, "PUT", of(root), FULL))[0] == 428
    assert (await call(api, root, "PUT", of(root), FULL, If_Match=tag))[0] == 200


async def test_some_fields_can_be_asked_for(api: aiohttp.ClientSession) -> None:
    ada = await register(api)

    _, told = await call(api, ada, "GET", f"{of(ada)}?fields=bio,phone")
    status, _ = await call(api, ada, "GET", f"{of(ada)}?fields=password")

    assert told["data"] == {"bio": "", "phone": None}
    assert status == 400
