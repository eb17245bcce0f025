"""An address proved by another letter, and by codes that are counted."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.api.flows import NEW, address_of, guessed_out, post, via
from tests.conftest import Serve
from tests.factories import PASSWORD, register
from tests.mailroom import (
    Mailroom,
    code_of,
    other_code,
    token_of,
)
from workers.toolbox import Tools


@pytest.fixture
def mailroom(tools: Tools, tmp_path: Path) -> Mailroom:
    return Mailroom(tools, tmp_path)


async def test_another_letter_verifies_and_kills_the_first_one(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    address = (await register(api))["user"]["email"]
    first = token_of(await mailroom.one("welcome"))

    status, told = await post(api, "resend-verification", email=address)
    second = token_of(await mailroom.one("verification"))

    assert status == 200
    assert told["message"] == "Verification email sent if the account exists and is unverified"
    assert (await post(api, "verify-email", token=first))[0] == 400
    assert (await post(api, "verify-email", token=second))[0] == 200
    assert await address_of(owner) == (address, True)


async def test_a_change_of_password_kills_the_letter_that_verifies(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    mine = await register(api)
    token = token_of(await mailroom.one("welcome"))
    await post(api, "change-password", mine, currentPassword=PASSWORD, newPassword=NEW)

    status, _ = await post(api, "verify-email", token=token)

    assert status == 400
    assert (await address_of(owner))[1] is False


async def test_wrong_verification_codes_are_counted_for_everybody_alike(
    serve: Serve, mailroom: Mailroom
) -> None:
    api = await serve(rate_limit_anonymous="off", trusted_proxies="127.0.0.1")
    address = (await register(api))["user"]["email"]
    wrong = other_code(code_of(await mailroom.one("welcome")))

    async def guesses(email: str) -> list[int]:
        body = {"email": email, "code": wrong}
        found = await asyncio.gather(
            *(post(api, "verify-email", headers=via(number), **body) for number in range(40))
        )
        return [status for status, _ in found]

    assert guessed_out(await guesses(address))
    assert guessed_out(await guesses("no@example.com"))


async def test_a_right_code_is_given_back(serve: Serve, mailroom: Mailroom, owner: Any) -> None:
    api = await serve(rate_limit_anonymous="off")
    address = (await register(api))["user"]["email"]
    code = code_of(await mailroom.one("welcome"))

    assert (await post(api, "verify-email", email=address, code=code))[0] == 200

    assert await owner.fetchval("SELECT max(failures) FROM sign_in_failures") == 0


@pytest.mark.parametrize("path", ["resend-verification", "forgot-password"])
async def test_as_much_is_promised_to_an_address_that_nobody_has(
    api: aiohttp.ClientSession, owner: Any, path: str
) -> None:
    address = (await register(api))["user"]["email"]
    await owner.execute("DELETE FROM outbox")

    for email in (address, "nobody@example.com"):
        assert (await post(api, path, email=email))[0] == 200

    promised = await owner.fetch("SELECT name, count(*) FROM outbox GROUP BY name")
    assert [row["count"] for row in promised] == [2]
