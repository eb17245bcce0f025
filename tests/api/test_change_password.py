"""Changing one's own password: knowing the current one, ending every other session."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.api.flows import guessed_out
from tests.conftest import Serve
from tests.factories import PASSWORD, bearer, register
from tests.mailroom import Mailroom, to_of
from workers.toolbox import Tools

AUTH = "/api/v1/auth"
NEW = "Fresh-Giraffe-7"


async def change(
    api: aiohttp.ClientSession,
    signed_in: dict[str, Any],
    current: str = PASSWORD,
    new: str = NEW,
) -> tuple[int, Any]:
    body = {"currentPassword": current, "newPassword": new}
    url = f"{AUTH}/change-password"
    async with api.post(url, json=body, headers=bearer(signed_in)) as answer:
        return answer.status, await answer.json()


async def login(api: aiohttp.ClientSession, email: str, password: str = PASSWORD) -> Any:
    credentials = {"email": email, "password": password}
    async with api.post(f"{AUTH}/login", json=credentials) as answer:
        return answer.status, (await answer.json()).get("data")


async def may_call(api: aiohttp.ClientSession, signed_in: dict[str, Any]) -> bool:
    async with api.get(f"{AUTH}/me", headers=bearer(signed_in)) as answer:
        return answer.status == 200


async def test_a_change_ends_every_other_session_and_tells_the_owner(
    api: aiohttp.ClientSession, tools: Tools, tmp_path: Path, owner: Any
) -> None:
    mine = await register(api)
    address = mine["user"]["email"]
    _, other = await login(api, address)
    mailroom = Mailroom(tools, tmp_path)
    await mailroom.deliver()

    status, told = await change(api, mine)

    assert (status, told["message"]) == (200, "Password changed successfully")
    assert await may_call(api, mine)
    assert not await may_call(api, other)
    async with api.post(f"{AUTH}/refresh", json={"refreshToken": mine["refreshToken"]}) as answer:
        assert answer.status == 200
    assert (await login(api, address))[0] == 401
    assert (await login(api, address, NEW))[0] == 200
    reasons = await owner.fetch("SELECT end_reason FROM sessions WHERE ended_at IS NOT NULL")
    assert [row[0] for row in reasons] == ["password_changed"]
    letters = {item["X-Ostiary-Template"]: item for item in await mailroom.deliver()}
    assert to_of(letters["password_changed"]) == address


async def test_a_wrong_current_password_is_a_mistake_in_the_form_not_a_lost_session(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    mine = await register(api)

    status, told = await change(api, mine, current="Wrong-Horse-9")

    assert (status, told["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert told["error"]["details"] == [
        {"field": "currentPassword", "message": "This is not your current password"}
    ]
    assert await may_call(api, mine)
    event = await owner.fetchrow("SELECT * FROM audit_inbox WHERE action = 'password.refused'")
    assert (event["outcome"], str(event["subject_id"])) == ("failure", mine["user"]["id"])
    assert await owner.fetchval("SELECT credential_version FROM users") == 1


@pytest.mark.parametrize("new", ["weak", "Lovelace", PASSWORD])
async def test_a_weak_or_unchanged_password_is_refused(
    api: aiohttp.ClientSession, new: str
) -> None:
    mine = await register(api)

    status, told = await change(api, mine, new=new)

    assert (status, told["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert {item["field"] for item in told["error"]["details"]} == {"newPassword"}
    assert (await login(api, mine["user"]["email"]))[0] == 200


async def test_of_two_changes_at_once_one_wins(api: aiohttp.ClientSession, owner: Any) -> None:
    mine = await register(api)
    _, other = await login(api, mine["user"]["email"])

    found = await asyncio.gather(
        *(change(api, who, new=f"{NEW}{number}") for number, who in enumerate([mine, other] * 5))
    )

    statuses = [status for status, _ in found]
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 400, 401, 409}
    assert await owner.fetchval("SELECT credential_version FROM users") == 2
    winner = f"{NEW}{statuses.index(200)}"
    assert (await login(api, mine["user"]["email"], winner))[0] == 200


async def test_whoever_has_no_password_is_told_about_the_letter(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    mine = await register(api)
    await owner.execute("UPDATE users SET password_hash = NULL")

    status, told = await change(api, mine)

    assert (status, told["error"]["code"]) == (422, "UNPROCESSABLE_ENTITY")
    assert "/forgot-password" in told["error"]["message"]


async def test_guesses_at_the_current_password_are_counted(serve: Serve) -> None:
    api = await serve(rate_limit_authenticated="off", rate_limit_anonymous="off")
    mine = await register(api)

    found = await asyncio.gather(*(change(api, mine, current="Wrong-Horse-9") for _ in range(50)))

    statuses = [status for status, _ in found]
    assert guessed_out(statuses)


async def test_strangers_change_nothing(api: aiohttp.ClientSession) -> None:
    body = {"currentPassword": PASSWORD, "newPassword": NEW}
    for path in ("change-password", "change-email"):
        async with api.post(f"{AUTH}/{path}", json=body) as answer:
            assert answer.status == 401
