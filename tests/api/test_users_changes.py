"""Names, pictures, plans and addresses of people, changed by themselves and by others."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ops.ids import new_id
from tests.api.flows import login, moved, post, proved
from tests.conftest import Serve
from tests.factories import bearer
from tests.mailroom import Mailroom, kind_of, text_of, to_of, token_of
from tests.people import Person, admin, call, id_of, manager, person
from workers.toolbox import Tools

_PICTURE = "https://example.com/ada.jpg"
_NAMES = {"firstName": "Augusta", "lastName": "King"}


@pytest.fixture
def mailroom(tools: Tools, tmp_path: Path) -> Mailroom:
    return Mailroom(tools, tmp_path)


async def team_of(owner: Any, *members: tuple[Person, str]) -> None:
    """Make a team of people, each with what they are in it."""
    team_id = new_id()
    await owner.execute("INSERT INTO teams (id, name) VALUES ($1, $2)", team_id, str(team_id))
    for who, role in members:
        await owner.execute(
            "INSERT INTO team_members (team_id, user_id, role) VALUES ($1, $2, $3)",
            team_id, id_of(who), role,
        )  # fmt: skip


async def state(owner: Any, who: Person) -> tuple[int, list[str]]:
    """Return somebody's version, and what the audit trail says was done to them."""
    version = await owner.fetchval("SELECT version FROM users WHERE id = $1", id_of(who))
    rows = await owner.fetch(
        "SELECT action FROM audit_inbox WHERE subject_id = $1 AND outcome <> 'denied' ORDER BY id",
        id_of(who),
    )
    return version, [row["action"] for row in rows]


async def test_people_change_themselves_a_version_later_and_the_trail_names_the_fields(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await person(api, owner)
    before, _ = await state(owner, ada)

    status, body = await call(
        api, ada, "PATCH", "/users/me", {"firstName": "Augusta", "avatar": _PICTURE, "locale": "de"}
    )

    data = body["data"]
    shown = (data["firstName"], data["lastName"], data["profilePicture"], data["locale"])
    assert (status, shown) == (200, ("Augusta", "Lovelace", _PICTURE, "de"))
    assert (await state(owner, ada))[0] == before + 1
    facts = await owner.fetchval("SELECT facts FROM audit_inbox WHERE action = 'user.changed'")
    assert "firstName,profilePicture,locale" in facts
    assert "Augusta" not in facts
    me = (await call(api, ada, "GET", "/auth/me"))[1]["data"]  # what was remembered is forgotten
    assert (me["firstName"], me["profilePicture"]) == ("Augusta", _PICTURE)


@pytest.mark.parametrize("body", [{}, {"firstName": "Ada"}, {"lastName": " Lovelace "}])
async def test_what_changes_nothing_leaves_no_trace(
    api: aiohttp.ClientSession, owner: Any, body: dict[str, Any]
) -> None:
    ada = await person(api, owner)
    before = await state(owner, ada)

    status, _ = await call(api, ada, "PATCH", "/users/me", body)

    assert status == 200
    assert await state(owner, ada) == before


async def test_a_replacement_removes_the_picture_it_leaves_out_and_keeps_address_and_plan(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss, ada = await admin(api, owner), await person(api, owner)
    facts = {"profilePicture": _PICTURE, "plan": "premium", "locale": "pt-BR"}
    await call(api, boss, "PATCH", f"/users/{id_of(ada)}", facts)

    status, body = await call(api, ada, "PUT", "/users/me", _NAMES)

    data = body["data"]
    assert (status, data["profilePicture"], data["locale"]) == (200, None, "en")
    assert (data["plan"], data["email"]) == ("premium", ada["user"]["email"])
    assert (await call(api, ada, "PUT", "/users/me", {"firstName": "Augusta"}))[0] == 400


@pytest.mark.parametrize(
    "body",
    [
        {"role": "admin"}, {"roles": ["admin"]}, {"isActive": False}, {"emailVerified": True},
        {"id": "01935b5c-6d1e-7a3b-8c4d-5e6f708192a3"}, {"version": 1}, {"passwordHash": "x"},
        {"deletedAt": None}, {"createdAt": "2020-01-01T00:00:00Z"}, {"status": "active"},
        {"first_name": "Eve"}, {"__proto__": {"role": "admin"}}, {"firstName": None},
        {"firstName": ["Eve"]}, {"firstName": "x" * 51}, {"locale": "../../etc"}, {"locale": None},
        {"locale": "EN_us"}, {"plan": "gold"}, {"profilePicture": "javascript:alert(1)"},
        {"profilePicture": _PICTURE, "avatar": _PICTURE}, {"avatar": 1}, {"email": None},
    ],
)  # fmt: skip
async def test_nothing_else_can_be_set_by_anybody(
    api: aiohttp.ClientSession, owner: Any, body: dict[str, Any]
) -> None:
    boss, ada = await admin(api, owner), await person(api, owner)
    before = await state(owner, ada)

    for who in (boss, ada):
        for method, more in (("PATCH", {}), ("PUT", _NAMES)):
            status, told = await call(api, who, method, f"/users/{id_of(ada)}", more | body)
            assert (status, told["error"]["code"]) == (400, "VALIDATION_ERROR")

    assert await state(owner, ada) == before


@pytest.mark.parametrize("body", [{"plan": "premium"}, {"email": "eve@example.com"}])
async def test_plan_and_address_are_not_for_people_or_managers_to_set(
    api: aiohttp.ClientSession, owner: Any, body: dict[str, Any]
) -> None:
    lead, ada = await manager(api, owner), await person(api, owner)
    await team_of(owner, (lead, "manager"), (ada, "member"))
    before = await state(owner, ada)

    for who in (lead, ada):
        status, _ = await call(api, who, "PATCH", f"/users/{id_of(ada)}", _NAMES | body)
        assert status == 403

    assert await state(owner, ada) == before


async def test_managers_change_the_members_of_teams_they_manage_and_nobody_else(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead, boss = await manager(api, owner), await admin(api, owner)
    own, other, mate = [await person(api, owner) for _ in range(3)]
    await team_of(owner, (lead, "manager"), (own, "member"), (boss, "member"))
    await team_of(owner, (lead, "member"), (mate, "member"))

    found = {
        name: (await call(api, lead, "PATCH", f"/users/{id_of(who)}", _NAMES))[0]
        for name, who in {
            "own": own, "other": other, "mate": mate, "boss": boss, "self": lead,
        }.items()
    }  # fmt: skip

    assert found == {"own": 200, "other": 403, "mate": 403, "boss": 403, "self": 200}
    await owner.execute("DELETE FROM team_members WHERE user_id = $1", id_of(own))
    assert (await call(api, lead, "PATCH", f"/users/{id_of(own)}", {"firstName": "Eve"}))[0] == 403


async def test_of_twenty_changes_to_one_version_exactly_one_wins(serve: Serve, owner: Any) -> None:
    api = await serve(rate_limit_authenticated="off")
    boss, ada = await admin(api, owner), await person(api, owner)
    async with api.get(f"/api/v1/users/{id_of(ada)}", headers=bearer(boss)) as answer:
        etag = answer.headers["ETag"]

    found = await asyncio.gather(
        *(
            call(api, who, "PATCH", f"/users/{id_of(ada)}", {"lastName": f"No {n}"}, If_Match=etag)
            for n, who in enumerate([boss, ada] * 10)
        )
    )

    assert sorted(status for status, _ in found) == [200] + [412] * 19
    (winner,) = [body["data"]["lastName"] for status, body in found if status == 200]
    kept = await owner.fetchval("SELECT last_name FROM users WHERE id = $1", id_of(ada))
    assert kept == winner
    assert (await state(owner, ada))[1].count("user.changed") == 1


async def test_the_strict_profile_wants_to_know_which_version_is_changed(
    serve: Serve, owner: Any, api: aiohttp.ClientSession
) -> None:
    boss, ada = await admin(api, owner), await person(api, owner)
    strict, path = await serve(security_profile="strict"), f"/users/{id_of(ada)}"

    found = [
        (await call(strict, boss, "PATCH", path, _NAMES))[0],
        (await call(strict, boss, "DELETE", path))[0],
        (await call(strict, boss, "DELETE", path, If_Match='"99-00000000"'))[0],
        (await call(strict, boss, "PATCH", path, _NAMES, If_Match="*"))[0],
    ]

    assert found == [428, 428, 412, 200]


async def test_an_address_set_by_an_administrator_is_to_be_proved_and_the_old_one_is_told(
    api: aiohttp.ClientSession, owner: Any, mailroom: Mailroom
) -> None:
    boss, ada = await admin(api, owner), await person(api, owner, email="ada@example.com")
    await mailroom.deliver()
    await post(api, "forgot-password", email="ada@example.com")
    older = token_of(await mailroom.one("reset"))

    status, body = await call(
        api, boss, "PATCH", f"/users/{id_of(ada)}", {"email": "KING@example.com"}
    )

    assert (status, body["data"]["email"]) == (200, "king@example.com")
    assert body["data"]["emailVerified"] is False
    letters = {kind_of(letter): letter for letter in await mailroom.deliver()}
    assert {kind: to_of(letter) for kind, letter in letters.items()} == {
        "email_changed": "ada@example.com", "verification": "king@example.com"
    }  # fmt: skip
    assert "king" not in letters["email_changed"].as_string()
    assert "undo" not in text_of(letters["email_changed"])
    assert (await post(api, "reset-password", token=older, newPassword="Other-Horse-9"))[0] == 400
    assert [await login(api, who) for who in ("ada@example.com", "king@example.com")] == [401, 200]
    assert (await post(api, "verify-email", token=token_of(letters["verification"])))[0] == 200
    assert "user.email_changed" in (await state(owner, ada))[1]


async def test_a_corrected_address_cannot_be_taken_back_by_whoever_had_it_before(
    api: aiohttp.ClientSession, owner: Any, mailroom: Mailroom
) -> None:
    ada = await proved(api, mailroom)
    way_back = await moved(api, mailroom, ada)
    boss = await admin(api, owner)

    await call(api, boss, "PATCH", f"/users/{id_of(ada)}", {"email": "king@example.com"})

    assert (await post(api, "undo-email-change", token=way_back))[0] == 400
    email = await owner.fetchval("SELECT email FROM users WHERE id = $1", id_of(ada))
    assert email == "king@example.com"


async def test_a_misspelt_invitation_goes_out_again_to_the_corrected_address(
    api: aiohttp.ClientSession, owner: Any, mailroom: Mailroom
) -> None:
    boss = await admin(api, owner)
    await mailroom.deliver()
    facts = {"email": "wrong@example.com"} | _NAMES
    _, body = await call(api, boss, "POST", "/users", facts)
    older = token_of(await mailroom.one("invitation"))

    await call(api, boss, "PATCH", f"/users/{body['data']['id']}", {"email": "right@example.com"})

    letter = await mailroom.one("invitation")
    assert to_of(letter) == "right@example.com"
    new = "Other-Horse-9"
    assert (await post(api, "reset-password", token=older, newPassword=new))[0] == 400
    assert (await post(api, "reset-password", token=token_of(letter), newPassword=new))[0] == 200


async def test_a_taken_address_and_ones_own_are_not_set_here(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss, ada, eve = await admin(api, owner), await person(api, owner), await person(api, owner)
    before = await state(owner, ada)

    taken, told = await call(
        api, boss, "PATCH", f"/users/{id_of(ada)}",
        {"firstName": "Eve", "email": eve["user"]["email"]},
    )  # fmt: skip
    own, _ = await call(api, boss, "PATCH", "/users/me", {"email": "thief@example.com"})

    assert (taken, told["error"]["code"]) == (409, "DUPLICATE_ENTRY")
    assert [item["field"] for item in told["error"]["details"]] == ["email"]
    assert own == 422
    assert await state(owner, ada) == before
