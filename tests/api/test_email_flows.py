"""An address changed: wished for, confirmed by its letter."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from api.parts import Parts
from tests.api.flows import (
    AUTH,
    MOVED,
    NEW,
    address_of,
    guessed_out,
    login,
    moved,
    post,
    proved,
    wish,
)
from tests.conftest import Serve
from tests.factories import bearer, register
from tests.mailroom import (
    Mailroom,
    code_of,
    everything_kept,
    kind_of,
    other_code,
    text_of,
    to_of,
    token_of,
)
from workers.toolbox import Tools


@pytest.fixture
def mailroom(tools: Tools, tmp_path: Path) -> Mailroom:
    return Mailroom(tools, tmp_path)


@pytest.mark.parametrize("by", ["token", "code"])
async def test_a_new_address_counts_when_its_letter_is_answered(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any, by: str
) -> None:
    mine = await proved(api, mailroom)
    before = mine["user"]["email"]

    status, told = await wish(api, mine, "Moved@Example.com")
    letter = await mailroom.one("confirm_change")

    assert (status, told["message"]) == (200, "Confirmation sent to the new address")
    assert to_of(letter) == MOVED
    assert await address_of(owner) == (before, True)

    proof = {"token": token_of(letter)}
    if by == "code":
        proof = {"email": MOVED, "code": code_of(letter)}
    status, _ = await post(api, "confirm-email", **proof)

    assert status == 200
    assert await address_of(owner) == (MOVED, True)
    assert (await post(api, "confirm-email", **proof))[0] == 400
    async with api.get(f"{AUTH}/me", headers=bearer(mine)) as answer:
        assert (await answer.json())["data"]["email"] == MOVED
    assert await login(api, before) == 401
    assert await login(api, MOVED) == 200
    notice = await mailroom.one("email_changed")
    assert to_of(notice) == before
    assert "/undo-email-change?token=oeu_" in text_of(notice)


async def test_a_wrong_password_asks_for_nothing(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    mine = await proved(api, mailroom)

    status, told = await wish(api, mine, password="Wrong-Horse-9")

    assert (status, told["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert told["error"]["details"][0]["field"] == "currentPassword"
    assert await owner.fetchval("SELECT count(*) FROM email_changes") == 0


async def test_a_recent_sign_in_stands_for_the_password_an_old_one_does_not(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    mine = await proved(api, mailroom)
    recent, _ = await post(api, "change-email", mine, newEmail=MOVED)
    await owner.execute("UPDATE sessions SET authenticated_at = now() - interval '1 day'")

    status, told = await post(api, "change-email", mine, newEmail=MOVED)

    assert recent == 200
    assert (status, told["error"]["code"]) == (403, "STEP_UP_REQUIRED")


async def test_an_address_of_somebody_else_is_answered_alike_and_written_to_never(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    mine = await proved(api, mailroom)
    taken = (await proved(api, mailroom))["user"]["email"]
    counts = (
        "SELECT (SELECT count(*) FROM outbox), (SELECT count(*) FROM audit_inbox),"
        " (SELECT count(*) FROM email_changes)"
    )
    found, letters = [], []
    for address in (taken, "free@example.com"):
        before = await owner.fetchrow(counts)
        status, told = await wish(api, mine, address)
        after = await owner.fetchrow(counts)
        written = [new - old for new, old in zip(after, before, strict=True)]
        found.append((status, told["message"], sorted(told), written))
        letters += await mailroom.deliver()

    assert found[0] == found[1]
    assert found[0][2:] == (["message", "meta", "success"], [1, 1, 1])
    assert [to_of(item) for item in letters] == ["free@example.com"]


async def test_a_newer_wish_replaces_the_older_one(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    mine = await proved(api, mailroom)
    await wish(api, mine, "first@example.com")
    first = await mailroom.one("confirm_change")
    await wish(api, mine, "second@example.com")
    second = await mailroom.one("confirm_change")

    assert (await post(api, "confirm-email", token=token_of(first)))[0] == 400
    assert (await post(api, "confirm-email", token=token_of(second)))[0] == 200
    assert (await address_of(owner))[0] == "second@example.com"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE email_changes SET expires_at = now()",
        "UPDATE users SET credential_version = credential_version + 1",
        "UPDATE users SET is_active = false",
        "UPDATE users SET deleted_at = now()",
    ],
)
async def test_a_wish_dies_with_what_it_was_made_for(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any, change: str
) -> None:
    mine = await proved(api, mailroom)
    await wish(api, mine)
    letter = await mailroom.one("confirm_change")
    await owner.execute(change)

    by_token = await post(api, "confirm-email", token=token_of(letter))
    by_code = await post(api, "confirm-email", email=MOVED, code=code_of(letter))

    assert by_token[0] == by_code[0] == 400
    assert by_token[1]["error"] == by_code[1]["error"]
    assert await owner.fetchval("SELECT email FROM users") == mine["user"]["email"]


async def test_an_address_taken_meanwhile_is_a_conflict_that_spends_nothing(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    mine = await proved(api, mailroom)
    await wish(api, mine)
    token = token_of(await mailroom.one("confirm_change"))
    await register(api, email=MOVED)

    status, told = await post(api, "confirm-email", token=token)

    assert (status, told["error"]["code"]) == (409, "DUPLICATE_ENTRY")
    await owner.execute("UPDATE users SET deleted_at = now() WHERE email = $1", MOVED)
    assert (await post(api, "confirm-email", token=token))[0] == 200


async def test_of_two_people_who_wish_for_one_address_one_gets_it(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    people = [await proved(api, mailroom) for _ in range(2)]
    for who in people:
        await wish(api, who)
    tokens = [token_of(item) for item in await mailroom.deliver()]
    assert len(tokens) == 2

    found = await asyncio.gather(*(post(api, "confirm-email", token=item) for item in tokens * 10))

    statuses = [status for status, _ in found]
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 400, 409}
    assert await owner.fetchval("SELECT count(*) FROM users WHERE email = $1", MOVED) == 1


async def test_a_change_of_address_kills_older_letters(
    api: aiohttp.ClientSession, mailroom: Mailroom
) -> None:
    mine = await proved(api, mailroom)
    await post(api, "forgot-password", email=mine["user"]["email"])
    reset = token_of(await mailroom.one("reset"))
    await moved(api, mailroom, mine)

    status, _ = await post(api, "reset-password", token=reset, newPassword=NEW)

    assert status == 400
    assert await login(api, MOVED) == 200


async def test_wrong_codes_of_a_change_are_counted(serve: Serve, mailroom: Mailroom) -> None:
    api = await serve(rate_limit_anonymous="off")
    mine = await proved(api, mailroom)
    await wish(api, mine)
    letter = await mailroom.one("confirm_change")
    wrong = other_code(code_of(letter))

    found = await asyncio.gather(
        *(post(api, "confirm-email", email=MOVED, code=wrong) for _ in range(40))
    )

    assert guessed_out([status for status, _ in found])
    status, _ = await post(api, "confirm-email", email=MOVED, code=code_of(letter))
    assert status in {400, 429}
    assert (await post(api, "confirm-email", token=token_of(letter)))[0] == 200


async def test_the_tokens_of_a_change_are_nowhere_but_in_the_letters(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any, parts: Parts
) -> None:
    mine = await proved(api, mailroom)
    await wish(api, mine)
    confirm = token_of(await mailroom.one("confirm_change"))
    await post(api, "confirm-email", token=confirm)
    undo = token_of(await mailroom.one("email_changed"))

    kept = await everything_kept(owner, parts.redis._client)

    assert (confirm[:4], undo[:4]) == ("oec_", "oeu_")
    for secret in (confirm[4:], undo[4:]):
        assert secret not in kept


async def test_what_is_no_address_is_refused(api: aiohttp.ClientSession, owner: Any) -> None:
    mine = await register(api)
    for address in (["a@example.com"], {"a": 1}, None, 7, "a@b", "a@example.com\r\nBcc: b@c.de"):
        status, told = await post(api, "change-email", mine, newEmail=address)
        assert (status, told["error"]["code"]) == (400, "VALIDATION_ERROR"), address
    status, told = await wish(api, mine, mine["user"]["email"])
    assert (status, told["error"]["details"][0]["field"]) == (400, "newEmail")
    assert await owner.fetchval("SELECT count(*) FROM email_changes") == 0


async def test_every_letter_of_a_change_is_written_once(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    mine = await proved(api, mailroom)
    await wish(api, mine)
    token = token_of(await mailroom.one("confirm_change"))
    await post(api, "confirm-email", token=token)
    await mailroom.deliver()
    await owner.execute("UPDATE outbox SET state = 'pending'")

    again = await mailroom.deliver()

    assert [kind_of(item) for item in again] == []


async def test_the_new_address_may_be_a_strangers_and_learns_no_name(
    api: aiohttp.ClientSession, mailroom: Mailroom
) -> None:
    mine = await proved(api, mailroom, firstName="Ada", lastName="Lovelace")
    await wish(api, mine)

    letter = await mailroom.one("confirm_change")

    assert letter["To"].addresses[0].display_name == ""
    for kind in ("plain", "html"):
        assert "Ada" not in text_of(letter, kind)
        assert "Lovelace" not in text_of(letter, kind)


async def test_the_old_address_of_a_deleted_account_gets_no_way_back(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    mine = await proved(api, mailroom)
    await wish(api, mine)
    await post(api, "confirm-email", token=token_of(await mailroom.one("confirm_change")))
    await owner.execute("UPDATE users SET deleted_at = now()")

    letter = await mailroom.one("email_changed")

    assert "undo-email-change" not in text_of(letter)
