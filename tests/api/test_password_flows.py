"""A forgotten password: the letter, its link, its code, and what they must never do."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.api.flows import (
    AUTH,
    NEW,
    login,
    post,
    somebody,
)
from tests.factories import PASSWORD, bearer, register
from tests.mailroom import (
    Mailroom,
    code_of,
    to_of,
    token_of,
)
from workers.toolbox import Tools


@pytest.fixture
def mailroom(tools: Tools, tmp_path: Path) -> Mailroom:
    return Mailroom(tools, tmp_path)


async def test_the_link_of_the_letter_sets_a_new_password(
    api: aiohttp.ClientSession, mailroom: Mailroom
) -> None:
    _, address = await somebody(api, mailroom)

    status, told = await post(api, "forgot-password", email=address)
    letter = await mailroom.one("reset")
    reset = await post(api, "reset-password", token=token_of(letter), newPassword=NEW)

    assert (status, told["message"]) == (200, "Password reset email sent if account exists")
    assert to_of(letter) == address
    assert reset[0] == 200, reset
    assert await login(api, address, PASSWORD) == 401
    assert await login(api, address, NEW) == 200


async def test_the_code_of_the_letter_sets_a_new_password(
    api: aiohttp.ClientSession, mailroom: Mailroom
) -> None:
    _, address = await somebody(api, mailroom)
    await post(api, "forgot-password", email=address.upper())
    code = code_of(await mailroom.one("reset"))

    status, _ = await post(api, "reset-password", email=address, code=code, newPassword=NEW)

    assert status == 200
    assert await login(api, address, NEW) == 200
    status, _ = await post(api, "reset-password", email=address, code=code, newPassword=NEW)
    assert status == 400


async def test_a_reset_ends_every_session_opens_none_and_tells_the_owner(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    signed_in, address = await somebody(api, mailroom)
    await login(api, address, PASSWORD)
    await post(api, "forgot-password", email=address)
    token = token_of(await mailroom.one("reset"))

    _, told = await post(api, "reset-password", token=token, newPassword=NEW)

    assert "data" not in told
    assert "accessToken" not in str(told)
    live = await owner.fetchval("SELECT count(*) FROM sessions WHERE ended_at IS NULL")
    reasons = await owner.fetch("SELECT DISTINCT end_reason FROM sessions")
    assert (live, [row[0] for row in reasons]) == (0, ["password_reset"])
    # Only the one that came by letter is known from now on.
    assert await owner.fetchval("SELECT count(*) FROM devices") == 1
    assert await owner.fetchval("SELECT email_verified FROM users") is True
    async with api.get(f"{AUTH}/me", headers=bearer(signed_in)) as answer:
        assert answer.status == 401
    status, _ = await post(api, "refresh", refreshToken=signed_in["refreshToken"])
    assert status == 401
    assert to_of(await mailroom.one("password_changed")) == address
    actions = [row[0] for row in await owner.fetch("SELECT action FROM audit_inbox")]
    assert actions.count("user.password_reset") == 1


@pytest.mark.parametrize("by", ["token", "code"])
async def test_a_weak_password_costs_neither_the_letter_nor_a_guess(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any, by: str
) -> None:
    _, address = await somebody(api, mailroom)
    await post(api, "forgot-password", email=address)
    letter = await mailroom.one("reset")
    proof = {"token": token_of(letter)}
    if by == "code":
        proof = {"email": address, "code": code_of(letter)}

    for weak in ["short", "alllowercase1!", address, ""] * 3:
        status, told = await post(api, "reset-password", **proof, newPassword=weak)
        assert (status, told["error"]["code"]) == (400, "VALIDATION_ERROR")
        assert {item["field"] for item in told["error"]["details"]} == {"newPassword"}

    assert await owner.fetchval("SELECT wrong_codes FROM password_reset_tokens") == 0
    status, _ = await post(api, "reset-password", **proof, newPassword=NEW)
    assert status == 200


async def test_twenty_resets_with_one_token_change_the_password_once(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    _, address = await somebody(api, mailroom)
    await post(api, "forgot-password", email=address)
    token = token_of(await mailroom.one("reset"))

    found = await asyncio.gather(
        *(
            post(api, "reset-password", token=token, newPassword=f"{NEW}{number}")
            for number in range(20)
        )
    )

    statuses = [status for status, _ in found]
    assert sorted(statuses) == [200] + [400] * 19
    assert await owner.fetchval("SELECT credential_version FROM users") == 2
    assert await login(api, address, f"{NEW}{statuses.index(200)}") == 200


async def test_a_newer_request_kills_the_older_letter(
    api: aiohttp.ClientSession, mailroom: Mailroom
) -> None:
    _, address = await somebody(api, mailroom)
    await post(api, "forgot-password", email=address)
    older = await mailroom.one("reset")
    await post(api, "forgot-password", email=address)
    newer = await mailroom.one("reset")

    dead = await post(api, "reset-password", token=token_of(older), newPassword=NEW)
    status, _ = await post(api, "reset-password", token=token_of(newer), newPassword=NEW)

    assert (dead[0], dead[1]["error"]["code"]) == (400, "BAD_REQUEST")
    assert status == 200


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE password_reset_tokens SET expires_at = now()",
        "UPDATE users SET credential_version = credential_version + 1",
        "UPDATE users SET email = 'moved@example.com'",
        "UPDATE users SET is_active = false",
        "UPDATE users SET deleted_at = now()",
        "DELETE FROM users",
    ],
)
async def test_a_letter_dies_with_what_it_was_written_for(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any, change: str
) -> None:
    _, address = await somebody(api, mailroom)
    await post(api, "forgot-password", email=address)
    letter = await mailroom.one("reset")
    await owner.execute(change)

    by_token = await post(api, "reset-password", token=token_of(letter), newPassword=NEW)
    by_code = await post(
        api, "reset-password", email=address, code=code_of(letter), newPassword=NEW
    )
    invented = await post(api, "reset-password", token="opr_invented", newPassword=NEW)

    told = [(status, body["error"]) for status, body in (by_token, by_code, invented)]
    assert told[0] == told[1] == told[2]
    assert (told[0][0], told[0][1]["code"]) == (400, "BAD_REQUEST")


async def test_a_change_of_password_kills_the_letter(
    api: aiohttp.ClientSession, mailroom: Mailroom
) -> None:
    signed_in, address = await somebody(api, mailroom)
    await post(api, "forgot-password", email=address)
    token = token_of(await mailroom.one("reset"))
    body = {"currentPassword": PASSWORD, "newPassword": NEW}
    changed = await post(api, "change-password", headers=bearer(signed_in), **body)

    status, _ = await post(api, "reset-password", token=token, newPassword="Other-Giraffe-8")

    assert (changed[0], status) == (200, 400)
    assert await login(api, address, NEW) == 200


async def test_letters_answered_at_the_same_moment_never_wait_for_each_other_in_turn(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    for _ in range(3):
        mine = await register(api)
        verify = token_of(await mailroom.one("welcome"))
        await post(api, "forgot-password", email=mine["user"]["email"])
        reset = token_of(await mailroom.one("reset"))
        change = {"currentPassword": PASSWORD, "newPassword": "Other-Giraffe-8"}

        found = await asyncio.gather(
            *(post(api, "verify-email", token=verify) for _ in range(5)),
            *(post(api, "reset-password", token=reset, newPassword=NEW) for _ in range(5)),
            *(post(api, "change-password", mine, **change) for _ in range(3)),
            *(post(api, "change-email", mine, newEmail="a@example.com") for _ in range(3)),
        )

        assert {status for status, _ in found} <= {200, 400, 401, 409}
    changed = await owner.fetch("SELECT credential_version FROM users")
    assert {row["credential_version"] for row in changed} == {2}
