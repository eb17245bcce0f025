"""People who are created once, however often and however many ask."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.api.holders import events, holder
from tests.conftest import Serve
from tests.factories import bearer, new_user
from tests.mailroom import Mailroom, kind_of
from tests.people import admin, call
from workers.toolbox import Tools

_NEW = {"email": "grace@example.com", "firstName": "Grace", "lastName": "Hopper"}


@pytest.fixture
def mailroom(tools: Tools, tmp_path: Path) -> Mailroom:
    return Mailroom(tools, tmp_path)


async def test_twenty_who_create_one_address_make_one_person(serve: Serve, owner: Any) -> None:
    api = await serve(rate_limit_authenticated="off")
    boss = await admin(api, owner)

    found = await asyncio.gather(*(call(api, boss, "POST", "/users", _NEW) for _ in range(20)))

    assert sorted(status for status, _ in found) == [201] + [409] * 19
    refused = next(body for status, body in found if status == 409)["error"]
    assert refused["code"] == "DUPLICATE_ENTRY"
    assert [item["field"] for item in refused["details"]] == ["email"]
    assert await owner.fetchval("SELECT count(*) FROM users WHERE email = $1", _NEW["email"]) == 1
    noted = "SELECT count(*) FROM audit_inbox WHERE action = 'user.created'"
    assert await owner.fetchval(noted) == 1


async def test_the_answer_says_where_the_new_person_is_found(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)

    async with api.post("/api/users", json=_NEW, headers=bearer(boss)) as answer:
        etag, place = answer.headers["ETag"], answer.headers["Location"]
    async with api.get(place, headers=bearer(boss)) as answer:
        found = await answer.json()

    assert found["data"]["email"] == "grace@example.com"
    assert answer.headers["ETag"] == etag


async def test_a_repeated_creation_gives_the_same_person_and_one_letter(
    api: aiohttp.ClientSession, owner: Any, mailroom: Mailroom
) -> None:
    boss, body = await admin(api, owner), _NEW | {"email": new_user()["email"]}
    await mailroom.deliver()

    first, again = [
        await call(api, boss, "POST", "/users", body, Idempotency_Key="k-1") for _ in range(2)
    ]
    other = await call(api, boss, "POST", "/users", _NEW, Idempotency_Key="k-1")

    assert (first[0], again[0], other[0]) == (201, 201, 422)
    assert first[1]["data"] == again[1]["data"]
    assert [kind_of(letter) for letter in await mailroom.deliver()] == ["invitation"]


async def test_who_may_not_read_people_is_shown_again_whom_they_made_and_not_what_became_of_them(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss, clerk = await admin(api, owner), await holder(api, owner, "users:create")
    asked = (api, clerk, "POST", "/users", _NEW)
    headers = bearer(clerk) | {"Idempotency-Key": "k-1"}
    async with api.post("/api/v1/users", json=_NEW, headers=headers) as answer:
        first, etag = await answer.json(), answer.headers["ETag"]
    path = f"/users/{first['data']['id']}"
    changes = {"firstName": "Amy", "email": "new@example.com", "plan": "premium"}

    await call(api, boss, "PATCH", path, changes)
    await call(api, boss, "PUT", f"{path}/roles/manager")
    await call(api, boss, "POST", f"{path}/suspend")
    async with api.post("/api/v1/users", json=_NEW, headers=headers) as answer:
        again = await answer.json()
        assert (answer.status, answer.headers["ETag"]) == (201, etag)

    assert again["data"] == first["data"]
    await call(api, boss, "DELETE", path)
    assert (await call(*asked, Idempotency_Key="k-1"))[0] == 404


async def test_who_may_not_give_roles_creates_nobody_with_another_role_than_the_usual(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    clerk = await holder(api, owner, "users:read", "users:create", "users:read_own")
    ada = {"email": "ada@example.com", "firstName": "Ada", "lastName": "Lovelace"}

    found = [
        (await call(api, clerk, "POST", "/users", ada | {"role": role}))[0]
        for role in ("guest", "user")
    ]

    assert found == [403, 201]


async def test_what_is_written_down_says_whether_an_address_was_taken_for_proved(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)
    for verified in (True, False):
        new = new_user(emailVerified=verified)
        assert (await call(api, boss, "POST", "/users", new))[0] == 201

    noted = await events(owner, "user.created")

    assert [facts["verified"] for _, facts in noted] == [True, False]
