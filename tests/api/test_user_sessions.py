"""Where other people are signed in: who sees it, who ends it, and what is written down."""

import asyncio
from typing import Any

import aiohttp

from api.parts import Parts
from tests.api.test_revocation import SECOND, refused_after, status
from tests.api.test_session_list import FIREFOX, login, sessions_of
from tests.conftest import Serve
from tests.factories import register
from tests.people import Person, admin, call, id_of, manager, person

NOBODY = "01935b5c-6d1e-7a3b-8c4d-5e6f708192a3"
_TEAM = """
WITH made AS (INSERT INTO teams (id, name) VALUES (gen_random_uuid(), 'Navy') RETURNING id)
INSERT INTO team_members (team_id, user_id, role)
SELECT id, $1::uuid, 'manager' FROM made UNION ALL SELECT id, $2::uuid, 'member' FROM made
"""
_NOTED = """
SELECT action, facts, actor_id::text AS actor, subject_id::text AS subject FROM audit_inbox
WHERE action LIKE 'session%' AND action <> 'session.opened' ORDER BY happened_at, id
"""
_ROLE = """
WITH made AS (
    INSERT INTO roles (id, name, rank) VALUES (gen_random_uuid(), $2, $3) RETURNING id
), permitted AS (
    INSERT INTO role_permissions (role_id, permission)
    SELECT made.id, unnest(ARRAY['users:read', 'sessions:read', 'users:update']) FROM made
), taken AS (DELETE FROM user_roles WHERE user_id = $1::uuid)
INSERT INTO user_roles (user_id, role_id) SELECT $1::uuid, id FROM made
"""


def of(who: Person) -> str:
    """Return the path of somebody's sessions."""
    return f"/users/{id_of(who)}/sessions"


async def test_ones_own_sessions_are_those_of_the_other_door(api: aiohttp.ClientSession) -> None:
    ada = await register(api, email="ada@example.com")
    await login(api, "ada@example.com", **{"User-Agent": FIREFOX})

    wanted = await sessions_of(api, ada)

    assert len(wanted) == 2
    for path in ("/users/me/sessions", of(ada)):
        code, told = await call(api, ada, "GET", path)
        assert (code, told["data"]) == (200, wanted)


async def test_an_administrator_sees_devices_and_places_of_somebody(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    root = await admin(api, owner)
    await register(api, email="ada@example.com")
    ada = await login(api, "ada@example.com", **{"User-Agent": FIREFOX})

    code, told = await call(api, root, "GET", of(ada))

    assert code == 200
    assert [item["current"] for item in told["data"]] == [False, False]
    assert told["data"][0]["device"] == "Firefox on Linux"
    assert {item["addressPrefix"] for item in told["data"]} == {"127.0.0.0/24"}
    assert set(told["data"][0]) == set((await sessions_of(api, ada))[0])
    async with api.get(f"/api{of(ada)}", headers={"Authorization": "Bearer x"}) as answer:
        assert answer.status == 401


async def test_what_ended_is_not_shown(api: aiohttp.ClientSession, owner: Any) -> None:
    root, ada = await admin(api, owner), await register(api)
    await call(api, ada, "POST", "/auth/logout")

    assert (await call(api, root, "GET", of(ada)))[1]["data"] == []


async def test_a_stranger_is_like_nobody_and_a_manager_may_not(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada, bob, boss = await register(api), await register(api), await manager(api, owner)
    guest = await person(api, owner, "guest")
    await owner.execute(_TEAM, id_of(boss), id_of(bob))
    told = []

    for path in (of(bob), f"/users/{NOBODY}/sessions", "/users/x/sessions"):
        code, answer = await call(api, ada, "GET", path)
        told.append((code, answer["error"]["message"]))

    assert set(told) == {(404, "There is no such user.")}
    assert (await call(api, boss, "GET", of(bob)))[0] == 403
    assert (await call(api, boss, "GET", f"/users/{NOBODY}/sessions"))[0] == 404
    assert (await call(api, boss, "GET", of(boss)))[0] == 200
    assert (await call(api, guest, "GET", of(guest)))[0] == 403
    assert (await call(api, None, "GET", of(bob)))[0] == 401
    for who in (ada, bob, boss, guest):
        assert (await call(api, who, "DELETE", of(bob)))[0] == 403
    assert await status(api, bob) == 200


async def test_whoever_stands_higher_is_neither_looked_at_nor_signed_out(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    root, support, ada = await admin(api, owner), await register(api), await register(api)
    name = f"support{id_of(support)[-12:]}"
    await owner.execute(_ROLE, id_of(support), name, 150)
    try:
        told = [
            (await call(api, support, method, of(who)))[0]
            for who in (root, ada)
            for method in ("GET", "DELETE")
        ]
        back = [(await call(api, root, method, of(support)))[0] for method in ("GET", "DELETE")]
    finally:
        await owner.execute("DELETE FROM user_roles WHERE user_id = $1", id_of(support))
        await owner.execute("DELETE FROM roles WHERE name = $1", name)

    assert told == [403, 403, 200, 200]
    assert back == [200, 200]
    assert await status(api, root) == 200


async def test_everything_an_administrator_does_with_sessions_is_noted(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    root, ada = await admin(api, owner), await register(api)

    await call(api, ada, "GET", of(ada))
    await call(api, root, "GET", of(ada))
    await call(api, root, "DELETE", of(ada))

    rows = [dict(row) for row in await owner.fetch(_NOTED)]
    assert [(row["action"], row["facts"]) for row in rows] == [
        ("sessions.read", '{"count": 1}'),
        ("session.all_ended", '{"count": 1}'),
    ]
    assert {(row["actor"], row["subject"]) for row in rows} == {(id_of(root), id_of(ada))}
    reasons = await owner.fetch("SELECT DISTINCT end_reason FROM sessions WHERE user_id = $1",
                                id_of(ada))  # fmt: skip
    assert [row[0] for row in reasons] == ["ended_by_admin"]


async def test_somebody_is_signed_out_on_every_server_within_a_second(
    serve: Serve, owner: Any
) -> None:
    one, other = await serve(rate_limit_anonymous="off"), await serve(rate_limit_anonymous="off")
    root = await admin(one, owner)
    first = await register(one, email="ada@example.com")
    second, stranger = await login(other, "ada@example.com"), await register(one)
    everybody = (root, first, second, stranger)
    assert {await status(api, who) for api in (one, other) for who in everybody} == {200}

    code, told = await call(one, root, "DELETE", of(first))

    assert (code, told["message"]) == (200, "Ended 2 sessions")
    assert await status(one, first) == await status(one, second) == 401
    assert await refused_after(other, first) < SECOND
    assert await refused_after(other, second) < SECOND
    assert {await status(api, who) for api in (one, other) for who in (root, stranger)} == {200}
    for who in (first, second):
        body = {"refreshToken": who["refreshToken"]}
        async with other.post("/api/v1/auth/refresh", json=body) as answer:
            assert answer.status == 401
    assert await status(other, await login(other, "ada@example.com")) == 200


async def test_no_refresh_outlives_being_signed_out(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    root, ada = await admin(api, owner), await register(api)
    revoked = parts.metrics.sessions_revoked.labels("ended_by_admin")
    before = revoked._value.get()

    async def refresh() -> None:
        body = {"refreshToken": ada["refreshToken"]}
        async with api.post("/api/v1/auth/refresh", json=body) as answer:
            await answer.read()

    ends = [call(api, root, "DELETE", of(ada)) for _ in range(5)]
    told = await asyncio.gather(*ends, *(refresh() for _ in range(15)))

    counts = sorted(item[1]["message"] for item in told if item)
    assert counts == ["Ended 0 sessions"] * 4 + ["Ended 1 sessions"]
    assert revoked._value.get() == before + 1
    assert await status(api, ada) == 401
    living = "SELECT count(*) FROM sessions WHERE ended_at IS NULL AND user_id = $1"
    assert await owner.fetchval(living, id_of(ada)) == 0


async def test_the_deleted_are_nobody(api: aiohttp.ClientSession, owner: Any) -> None:
    root, ada = await admin(api, owner), await register(api)
    await owner.execute("UPDATE users SET deleted_at = now() WHERE id = $1", id_of(ada))

    assert (await call(api, root, "GET", of(ada)))[0] == 404
    assert (await call(api, root, "DELETE", of(ada)))[0] == 404


async def test_an_administrator_may_sign_themselves_out_everywhere(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    root = await admin(api, owner)

    assert (await call(api, root, "DELETE", "/users/me/sessions"))[0] == 200
    assert await status(api, root) == 401
