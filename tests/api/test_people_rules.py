"""Rules that hold although nothing in the ordinary run of things leans on them."""

from typing import Any

import aiohttp
import pytest

from api.auth.presence import Presence
from api.parts import Parts
from ops.metrics import Metrics
from tests.api.holders import holder, own_role
from tests.api.pieces import team_of
from tests.conftest import Serve
from tests.factories import register
from tests.people import Person, admin, call, id_of, person

# One more than a process reads at once; nobody it knows is among them.
_MANY_OTHERS = """
INSERT INTO revocations (id, user_id)
SELECT gen_random_uuid(), gen_random_uuid() FROM generate_series(1, 5001)
"""
_ROLE = "INSERT INTO roles (id, name, rank) VALUES (gen_random_uuid(), 'odd', 500)"
_PERMIT = """
INSERT INTO role_permissions (role_id, permission)
SELECT id, unnest($1::text[]) FROM roles WHERE name = 'odd'
"""


async def permitted(api: aiohttp.ClientSession, owner: Any, *permissions: str) -> Person:
    """Register somebody whose only role permits these and nothing else."""
    await owner.execute(_ROLE)
    await owner.execute(_PERMIT, permissions)
    return await person(api, owner, "odd")


async def test_whoever_is_created_gets_no_password_made_of_their_own_name(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)
    new = {"email": "countess@example.com", "firstName": "Ada", "lastName": "Lovelace"}

    refused = [
        await call(api, boss, "POST", "/users", new | {"password": password})
        for password in ("Countess1815!", "Lovelace1815!", "Ada-Lovelace-1815")
    ]
    taken, _ = await call(api, boss, "POST", "/users", new | {"password": "Violet-Tundra-18"})

    assert [(status, body["error"]["code"]) for status, body in refused] == [
        (400, "VALIDATION_ERROR")
    ] * 3
    assert taken == 201


async def test_what_is_sensitive_goes_by_the_facts_of_the_moment(serve: Serve, owner: Any) -> None:
    api = await serve()
    boss = await admin(api, owner)
    assert (await call(api, boss, "GET", "/roles"))[0] == 200
    # A trigger would tell of the change; without it only a look-up can notice.
    await owner.execute("ALTER TABLE users DISABLE TRIGGER USER")
    try:
        await owner.execute("UPDATE users SET email_verified = false")

        status, body = await call(api, boss, "POST", "/roles", {"name": "editor", "rank": 5})
    finally:
        await owner.execute("ALTER TABLE users ENABLE TRIGGER USER")

    assert (status, body["error"]["code"]) == (403, "EMAIL_NOT_VERIFIED")
    assert await owner.fetchval("SELECT count(*) FROM roles WHERE name = 'editor'") == 0


async def test_whoever_cannot_read_all_that_was_revoked_believes_nothing(
    parts: Parts, api: aiohttp.ClientSession, owner: Any
) -> None:
    await register(api)
    session_id = await owner.fetchval("SELECT id FROM sessions")
    presence = Presence(parts.database, Metrics())
    await presence.read()
    await owner.execute("DELETE FROM revocations")
    await presence.look(session_id)
    await presence.read()
    assert presence.known(session_id) is not None

    await owner.execute(_MANY_OTHERS)
    await presence.read()

    assert presence.known(session_id) is None


async def test_who_may_delete_but_not_see_others_learns_of_nobody(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await person(api, owner)
    who = await permitted(api, owner, "users:read_own", "users:delete")

    found = [
        await call(api, who, method, f"/users/{id_of(ada)}{path}")
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/restore"))
    ]

    assert [status for status, _ in found] == [404] * 3
    assert (await call(api, ada, "GET", "/auth/me"))[0] == 200


async def test_who_may_only_change_their_teams_does_not_change_themselves(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    who = await permitted(api, owner, "users:read_own", "users:update_team")

    status, _ = await call(api, who, "PATCH", "/users/me", {"firstName": "Grace"})

    assert status == 403


async def test_who_may_change_themselves_but_not_see_themselves_is_nobody_to_themselves(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    who = await permitted(api, owner, "users:update_own")

    status, _ = await call(api, who, "PATCH", "/users/me", {"firstName": "Grace"})

    assert status == 404
    assert await owner.fetchval("SELECT first_name FROM users") == "Ada"


async def test_nobody_moves_the_address_of_whom_any_role_permits_more_than_them(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)
    who = await permitted(api, owner, "users:read", "users:update")
    harmless, dangerous = await own_role(owner, rank=60), await own_role(owner, "roles:write")
    victim = await person(api, owner, harmless)
    given = await call(api, boss, "PUT", f"/users/{id_of(victim)}/roles/{dangerous}")
    assert given[1]["data"]["roles"] == [harmless, dangerous]

    status, told = await call(
        api, who, "PATCH", f"/users/{id_of(victim)}", {"email": "thief@example.com"}
    )

    assert (status, told["error"]["details"][0]["message"]) == (403, "You do not have roles:write.")
    email = await owner.fetchval("SELECT email FROM users WHERE id = $1", id_of(victim))
    assert email == victim["user"]["email"]


async def test_who_has_no_role_may_do_what_guests_may_and_is_no_way_to_it(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    who = await permitted(api, owner, "users:read", "users:update")
    guest = await person(api, owner, "guest")

    status, told = await call(
        api, who, "PATCH", f"/users/{id_of(guest)}", {"email": "thief@example.com"}
    )

    assert (status, told["error"]["details"][0]["message"]) == (
        403,
        "You do not have content:read.",
    )


@pytest.mark.parametrize(
    ("change", "read", "whom"),
    [
        ("users:update_own", "users:read_own", "me"),
        ("users:update_own", "users:read", "me"),
        ("users:update_team", "users:read", "ada"),
        ("users:update", "users:read", "ada"),
    ],
)
async def test_who_may_change_somebody_but_not_see_them_changes_nobody(
    api: aiohttp.ClientSession, owner: Any, change: str, read: str, whom: str
) -> None:
    blind = await holder(api, owner, change, rank=500)
    seeing, ada = await holder(api, owner, change, read, rank=500), await person(api, owner)
    await team_of(owner, blind, seeing, ada)
    await owner.execute("UPDATE team_members SET role = 'manager'")
    path = f"/users/{id_of(ada) if whom == 'ada' else whom}"

    found = [
        (await call(api, who, "PATCH", path, {"firstName": "Grace"}))[0] for who in (blind, seeing)
    ]

    assert found == [404, 200]


async def test_whoever_is_suspended_and_deleted_is_there_for_nobody_to_suspend(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss, ada = await admin(api, owner), await person(api, owner)
    await call(api, boss, "POST", f"/users/{id_of(ada)}/suspend")
    await call(api, boss, "DELETE", f"/users/{id_of(ada)}")

    status, _ = await call(api, boss, "POST", f"/users/{id_of(ada)}/suspend")

    assert status == 404


async def test_what_is_denied_by_rank_is_noted_too(api: aiohttp.ClientSession, owner: Any) -> None:
    boss = await admin(api, owner)
    who = await permitted(api, owner, "users:read", "users:delete")

    status, _ = await call(api, who, "DELETE", f"/users/{id_of(boss)}")

    noted = "SELECT count(*) FROM audit_inbox WHERE action = 'access.denied'"
    assert (status, await owner.fetchval(noted)) == (403, 1)


async def test_a_walk_through_a_team_gives_namesakes_once(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)
    _, team = await call(api, boss, "POST", "/teams", {"name": "Namesakes"})
    path = f"/teams/{team['data']['id']}/members"
    for _ in range(3):
        member = await person(api, owner)
        await call(api, boss, "PUT", f"{path}/{id_of(member)}", {"role": "member"})
    await owner.execute("UPDATE users SET last_name = 'Lovelace'")

    found, cursor = [], ""
    for _ in range(4):
        asked = f"{path}?sort=lastName&order=desc&limit=1&cursor={cursor}"
        _, body = await call(api, boss, "GET", asked)
        found += [item["email"] for item in body["data"]]
        cursor = body["pagination"]["nextCursor"] or ""

    assert len(set(found)) == 4
    assert cursor == ""
