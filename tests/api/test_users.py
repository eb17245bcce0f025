"""People as administrators and managers see, create and list them."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.api.flows import login, post
from tests.factories import PASSWORD, bearer
from tests.mailroom import Mailroom, code_of, text_of, to_of, token_of
from tests.people import admin, call, id_of, manager, person
from workers.toolbox import Tools

_NEW = {"email": "grace@example.com", "firstName": "Grace", "lastName": "Hopper"}
_OWN = {
    "id", "email", "firstName", "lastName", "role", "profilePicture", "emailVerified",
    "lastLoginAt", "createdAt", "plan", "locale", "updatedAt",
}  # fmt: skip


@pytest.fixture
def mailroom(tools: Tools, tmp_path: Path) -> Mailroom:
    return Mailroom(tools, tmp_path)


async def events(owner: Any, action: str) -> list[Any]:
    """Return what the audit trail holds of an action, oldest first."""
    return list(
        await owner.fetch("SELECT * FROM audit_inbox WHERE action = $1 ORDER BY id", action)
    )


async def listed(api: aiohttp.ClientSession, who: Any, query: str) -> list[str]:
    """Return the addresses of a list, sorted."""
    status, body = await call(api, who, "GET", f"/users?{query}")
    assert status == 200, body
    return sorted(item["email"] for item in body["data"])


async def test_an_administrator_sees_all_of_somebody_and_the_trail_notes_it(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss, ada = await admin(api, owner), await person(api, owner)

    status, body = await call(api, boss, "GET", f"/users/{id_of(ada)}")

    assert status == 200
    assert set(body["data"]) == _OWN | {"roles", "isActive", "status"}
    assert body["data"]["status"] == "active"
    (event,) = await events(owner, "user.read")
    assert str(event["subject_id"]) == id_of(ada)
    assert str(event["actor_id"]) == id_of(boss)


async def test_people_see_themselves_and_no_more_and_nobody_notes_it(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await person(api, owner)

    found = [await call(api, ada, "GET", f"/users/{name}") for name in ("me", id_of(ada))]

    assert [status for status, _ in found] == [200, 200]
    assert found[0][1]["data"] == found[1][1]["data"]
    assert set(found[0][1]["data"]) == _OWN
    assert await events(owner, "user.read") == []


@pytest.mark.parametrize(
    "name",
    [
        "01935b5c-6d1e-7a3b-8c4d-5e6f708192a3", "1", "null", "ME", "me%20", "%00", "..%2fme",
        "%7B{id}%7D", "urn:uuid:{id}", "{hex}", "{id}%0a", "{id}%00", "{wide}", "{id};admin",
    ],
)  # fmt: skip
async def test_what_is_no_id_of_theirs_is_nobody(
    api: aiohttp.ClientSession, owner: Any, name: str
) -> None:
    ada, stranger = await person(api, owner), await person(api, owner)
    unknown = await call(api, ada, "GET", "/users/01935b5c-6d1e-7a3b-8c4d-5e6f708192a3")
    known = id_of(ada)
    # Python reads full-width digits as digits.
    wide = known.translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})
    path = name.format(id=known, hex=known.replace("-", ""), wide=wide)

    for whose in (path, id_of(stranger)):
        for method in ("GET", "PATCH", "PUT"):
            sent = None if method == "GET" else {"firstName": "Eve", "lastName": "Else"}
            status, body = await call(api, ada, method, f"/users/{whose}", sent)

            assert status == 404, (method, whose, body)
            assert body["error"] == unknown[1]["error"] or "%" in path


async def test_the_fields_one_asks_for_come_alone_and_an_etag_saves_the_rest(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss, ada = await admin(api, owner), await person(api, owner)
    path = f"/api/users/{id_of(ada)}"

    async with api.get(path, params={"fields": "id,status"}, headers=bearer(boss)) as answer:
        few = await answer.json()
    async with api.get(path, headers=bearer(boss)) as answer:
        etag = answer.headers["ETag"]
    async with api.get(path, headers=bearer(boss) | {"If-None-Match": etag}) as answer:
        again = answer.status

    assert few["data"] == {"id": id_of(ada), "status": "active"}
    assert again == 304


async def test_whoever_sees_less_of_themselves_chooses_among_what_they_see(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada, boss = await person(api, owner), await admin(api, owner)

    hidden, told = await call(api, ada, "GET", "/users/me?fields=id,roles")
    seen, some = await call(api, ada, "GET", "/users/me?fields=id")

    assert (hidden, [item["field"] for item in told["error"]["details"]]) == (400, ["fields"])
    assert "roles" not in told["error"]["details"][0]["message"]
    assert (seen, some["data"]) == (200, {"id": id_of(ada)})
    assert (await call(api, boss, "GET", "/users/me?fields=id,roles"))[0] == 200


async def test_a_list_can_be_narrowed_by_everything_it_promises(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss, lead = await admin(api, owner), await manager(api, owner)
    ada = await person(api, owner, email="ada@example.com", lastName="Byron")
    await call(api, boss, "PATCH", f"/users/{id_of(ada)}", {"plan": "premium"})
    await call(api, boss, "POST", f"/users/{id_of(ada)}/suspend")
    mails = {name: who["user"]["email"] for name, who in (("boss", boss), ("lead", lead))}
    only_ada = ["ada@example.com"]

    assert await listed(api, lead, "") == sorted([*mails.values(), *only_ada])
    assert await listed(api, boss, "filter[role]=manager") == [mails["lead"]]
    assert await listed(api, boss, "filter[status]=suspended") == only_ada
    assert await listed(api, boss, "filter[status]=active") == sorted(mails.values())
    assert await listed(api, boss, "filter[plan]=premium") == only_ada
    assert await listed(api, boss, "filter[verified]=false") == []
    assert await listed(api, boss, f"filter[id]={id_of(ada)},{id_of(boss)}") == sorted(
        [mails["boss"], *only_ada]
    )
    assert await listed(api, boss, "filter[email]=ADA@Example.com") == only_ada
    assert await listed(api, boss, "search=byron") == only_ada
    event = (await events(owner, "users.listed"))[0]
    assert '"count": 3' in str(event["facts"]).replace('"count":3', '"count": 3')


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("filter[role]=nonsense", "filter[role]"),
        ("filter[status]=gone", "filter[status]"),
        ("filter[email]=nonsense", "filter[email]"),
        ("filter[password_hash]=x", "filter[password_hash]"),
        ("sort=password_hash", "sort"),
        ("fields=passwordHash", "fields"),
        ("filter[team]=1", "filter[team]"),
    ],
)
async def test_what_a_list_does_not_know_is_refused_with_what_it_knows(
    api: aiohttp.ClientSession, owner: Any, query: str, field: str
) -> None:
    boss = await admin(api, owner)

    status, body = await call(api, boss, "GET", f"/users?{query}")

    assert status == 400
    assert [item["field"] for item in body["error"]["details"]] == [field]


async def test_only_who_may_delete_users_finds_the_deleted(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss, lead = await admin(api, owner), await manager(api, owner)
    ada = await person(api, owner, email="ada@example.com")
    await call(api, boss, "DELETE", f"/users/{id_of(ada)}")

    assert await listed(api, boss, "filter[status]=deleted") == ["ada@example.com"]
    assert "ada@example.com" not in await listed(api, boss, "")
    assert (await call(api, lead, "GET", "/users?filter[status]=deleted"))[0] == 403
    status, body = await call(api, boss, "GET", f"/users/{id_of(ada)}")
    assert (status, body["data"]["status"]) == (200, "deleted")
    assert body["data"]["deletedAt"].endswith("Z")
    assert (await call(api, lead, "GET", f"/users/{id_of(ada)}"))[0] == 404


async def test_whoever_is_created_with_a_password_is_welcomed_and_signs_in(
    api: aiohttp.ClientSession, owner: Any, mailroom: Mailroom
) -> None:
    boss = await admin(api, owner)
    await mailroom.deliver()

    status, body = await call(api, boss, "POST", "/users", _NEW | {"password": PASSWORD})

    assert status == 201, body
    assert (body["data"]["role"], body["data"]["emailVerified"]) == ("user", False)
    assert PASSWORD not in str(body)
    assert to_of(await mailroom.one("welcome")) == "grace@example.com"
    assert await login(api, "grace@example.com") == 200
    (event,) = await events(owner, "user.created")
    assert str(event["actor_id"]) == id_of(boss)
    assert "grace" not in str(event["facts"]).lower()


@pytest.mark.parametrize("way", ["token", "code"])
async def test_whoever_is_created_without_a_password_is_invited_to_choose_one(
    api: aiohttp.ClientSession, owner: Any, mailroom: Mailroom, way: str
) -> None:
    boss = await admin(api, owner)
    await mailroom.deliver()
    await call(api, boss, "POST", "/users", _NEW)

    letter = await mailroom.one("invitation")

    assert "7 days" in text_of(letter)
    assert to_of(letter) == "grace@example.com"
    assert await login(api, "grace@example.com") == 401
    await owner.execute("UPDATE password_reset_tokens SET expires_at = expires_at - interval '6 d'")
    ways: dict[str, dict[str, Any]] = {
        "token": {"token": token_of(letter)},
        "code": {"email": "grace@example.com", "code": code_of(letter)},
    }
    sent = ways[way]
    assert (await post(api, "reset-password", **sent, newPassword=PASSWORD))[0] == 200
    assert await login(api, "grace@example.com") == 200
    assert (await post(api, "reset-password", **sent, newPassword=PASSWORD))[0] == 400
    assert await owner.fetchval("SELECT email_verified FROM users WHERE email LIKE 'grace%'")


async def test_a_known_address_with_a_password_is_told_without_being_asked(
    api: aiohttp.ClientSession, owner: Any, mailroom: Mailroom
) -> None:
    boss = await admin(api, owner)
    await mailroom.deliver()

    facts = {"password": PASSWORD, "emailVerified": True, "plan": "premium", "role": "manager"}
    _, body = await call(api, boss, "POST", "/users", _NEW | facts)

    letter = await mailroom.one("account_created")
    assert "token=" not in letter.as_string()
    assert PASSWORD not in letter.as_string()
    kept = {name: body["data"][name] for name in ("emailVerified", "plan", "role", "roles")}
    assert kept == {
        "emailVerified": True, "plan": "premium", "role": "manager", "roles": ["manager"]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"password": "short"}, 400),
        ({"password": None}, 400),
        ({"role": "nonsense"}, 400),
        ({"emailVerified": "true"}, 400),
        ({"emailVerified": 1}, 400),
        ({"plan": "gold"}, 400),
        ({"isActive": False}, 400),
        ({"id": "01935b5c-6d1e-7a3b-8c4d-5e6f708192a3"}, 400),
        ({"password_hash": "x"}, 400),
        ({"email": "nonsense"}, 400),
        ({"firstName": "x"}, 400),
    ],
)
async def test_nobody_is_created_from_what_is_wrong(
    api: aiohttp.ClientSession, owner: Any, change: dict[str, Any], status: int
) -> None:
    boss = await admin(api, owner)

    found, body = await call(api, boss, "POST", "/users", _NEW | change)

    assert (found, body["error"]["code"]) == (status, "VALIDATION_ERROR")
    assert await owner.fetchval("SELECT count(*) FROM users") == 1
