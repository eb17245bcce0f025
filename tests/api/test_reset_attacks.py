"""What strangers try with forgotten passwords: guess, ask about others, redirect, find secrets."""

import asyncio
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from api.parts import Parts
from tests.api.flows import NEW, guessed_out, login, post, somebody, via
from tests.conftest import Serve
from tests.factories import PASSWORD
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


async def test_the_same_is_written_whoever_is_asked_about(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any
) -> None:
    _, known = await somebody(api, mailroom)
    _, verified = await somebody(api, mailroom)
    _, deactivated = await somebody(api, mailroom)
    await owner.execute("UPDATE users SET email_verified = true WHERE email = $1", verified)
    await owner.execute("UPDATE users SET is_active = false WHERE email = $1", deactivated)
    counts = "SELECT (SELECT count(*) FROM outbox), (SELECT count(*) FROM audit_inbox)"
    for path in ("forgot-password", "resend-verification"):
        answers, written = [], []
        for address in (known, verified, deactivated, "nobody@example.com"):
            before = await owner.fetchrow(counts)
            status, told = await post(api, path, email=address)
            after = await owner.fetchrow(counts)
            answers.append((status, told["success"], told["message"], *sorted(told)))
            written.append((after[0] - before[0], after[1] - before[1]))

        assert len(set(answers)) == 1
        assert answers[0][0] == 200
        assert set(written) == {(1, 1)}
    letters = await mailroom.deliver()
    assert [(kind_of(item), to_of(item)) for item in letters] == [
        ("reset", known),
        ("reset", verified),
        ("verification", known),
    ]


async def test_200_wrong_codes_are_not_looked_at_and_end_the_codes_worth(
    serve: Serve, mailroom: Mailroom, owner: Any
) -> None:
    api = await serve(rate_limit_anonymous="off", trusted_proxies="127.0.0.1")
    _, address = await somebody(api, mailroom)
    await post(api, "forgot-password", email=address)
    letter = await mailroom.one("reset")
    wrong = other_code(code_of(letter))

    # More at once than there are connections to PostgreSQL, not more than wait for one in vain.
    at_once = asyncio.Semaphore(50)

    async def guess(email: str, code: str, number: int = 999) -> int:
        body = {"email": email, "code": code, "newPassword": NEW}
        async with at_once:
            status, _ = await post(api, "reset-password", headers=via(number), **body)
        return status

    known = await asyncio.gather(*(guess(address, wrong, n) for n in range(200)))
    unknown = await asyncio.gather(*(guess("no@example.com", wrong, n) for n in range(200)))

    assert guessed_out(known)
    assert guessed_out(unknown)
    assert await owner.fetchval("SELECT wrong_codes FROM password_reset_tokens") == 5
    assert await guess(address, code_of(letter)) in {400, 429}
    await owner.execute("UPDATE sign_in_failures SET open_at = '-infinity'")
    assert await guess(address, code_of(letter)) == 400
    status, _ = await post(api, "reset-password", token=token_of(letter), newPassword=NEW)
    assert status == 200  # whoever has the letter still has its link
    assert await login(api, address, NEW) == 200  # codes guessed lock nobody out of signing in


async def test_another_letter_does_not_give_new_guesses_at_once(
    serve: Serve, mailroom: Mailroom
) -> None:
    api = await serve(rate_limit_anonymous="off")
    _, address = await somebody(api, mailroom)
    evaluated = 0
    for _ in range(2):
        await post(api, "forgot-password", email=address)
        wrong = other_code(code_of(await mailroom.one("reset")))
        body = {"email": address, "code": wrong, "newPassword": NEW}
        found = await asyncio.gather(*(post(api, "reset-password", **body) for _ in range(20)))
        evaluated += sum(status == 400 for status, _ in found)

    assert evaluated <= 8


async def test_a_reset_opens_an_account_that_others_guess_at(
    serve: Serve, mailroom: Mailroom, owner: Any
) -> None:
    api = await serve(rate_limit_anonymous="off", trusted_proxies="127.0.0.1")
    _, address = await somebody(api, mailroom)

    async def sign_in(password: str, number: int) -> int:
        body = {"email": address, "password": password}
        return (await post(api, "login", headers=via(number), **body))[0]

    for number in range(8):
        await sign_in("wrong", number)
    await owner.execute("UPDATE sign_in_failures SET open_at = now() + interval '50 seconds'")
    assert await sign_in(PASSWORD, 500) == 429
    await post(api, "forgot-password", email=address)
    token = token_of(await mailroom.one("reset"))

    await post(api, "reset-password", headers=via(500), token=token, newPassword=NEW)

    for number in range(10, 18):  # others go on guessing, and close the account for strangers
        await sign_in("wrong", number)
    assert await sign_in(NEW, 501) == 429
    assert await sign_in(NEW, 500) == 200


async def test_token_and_code_are_nowhere_but_in_the_letter(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any, parts: Parts
) -> None:
    _, address = await somebody(api, mailroom)
    await post(api, "forgot-password", email=address)
    letter = await mailroom.one("reset")
    token, code = token_of(letter), code_of(letter)
    await post(api, "reset-password", email=address, code=code, newPassword=NEW)
    await post(api, "reset-password", token=token, newPassword=NEW)

    kept = await everything_kept(owner, parts.redis._client)

    assert address in kept
    for secret in (token, token.removeprefix("opr_"), NEW):
        assert secret not in kept
    for secret in (token, code):  # nor a digest that anybody could make
        assert sha256(secret.encode()).hexdigest() not in kept
    macs = await owner.fetchrow("SELECT token_mac, code_mac FROM password_reset_tokens")
    assert all(len(mac) == 32 for mac in macs)
    audit = await owner.fetch("SELECT a::text FROM audit_inbox a")
    jobs = await owner.fetch("SELECT body::text FROM outbox")
    assert all(address not in row[0] for row in [*audit, *jobs])


@pytest.mark.parametrize("path", ["forgot-password", "resend-verification"])
@pytest.mark.parametrize(
    "email",
    [["a@example.com", "b@example.com"], {"$ne": ""}, True, 7, None, "a@example.com,b@example.com"],
)
async def test_an_address_that_is_none_is_refused(
    api: aiohttp.ClientSession, owner: Any, path: str, email: Any
) -> None:
    status, told = await post(api, path, email=email)

    assert (status, told["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert [item["field"] for item in told["error"]["details"]] == ["email"]
    assert await owner.fetchval("SELECT count(*) FROM outbox") == 0


async def test_what_names_a_proof_twice_or_half_is_refused(api: aiohttp.ClientSession) -> None:
    for proof in (
        {},
        {"email": "a@example.com"},
        {"code": "123456"},
        {"token": "opr_x", "email": "a@example.com", "code": "123456"},
        {"token": ["opr_x"]},
        {"token": "opr_x", "userId": "x"},
        {"email": "a@example.com", "code": 123456},
        {"email": "a@example.com", "code": "١٢٣٤٥٦"},
    ):
        status, told = await post(api, "reset-password", **proof, newPassword=NEW)
        assert (status, told["error"]["code"]) == (400, "VALIDATION_ERROR"), proof


async def test_no_header_of_a_request_gets_into_a_link(
    api: aiohttp.ClientSession, mailroom: Mailroom, tools: Tools
) -> None:
    _, address = await somebody(api, mailroom)
    headers = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "gopher",
        "Forwarded": "host=evil.example;proto=http",
        "Origin": "https://evil.example",
        "Referer": "https://evil.example/",
    }

    status, _ = await post(api, "forgot-password", headers=headers, email=address)

    letter = await mailroom.one("reset")
    assert status == 200
    assert "evil" not in letter.as_string()
    assert f"{tools.settings.base_url}/reset-password?token=" in text_of(letter)


async def test_a_letter_without_an_end_cannot_be_kept(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    nullable = await owner.fetch(
        "SELECT table_name FROM information_schema.columns"
        " WHERE column_name = 'expires_at' AND is_nullable = 'YES'"
    )

    assert nullable == []


async def test_whoever_chose_a_new_password_is_let_in_from_anywhere_at_once(
    serve: Serve, mailroom: Mailroom
) -> None:
    api = await serve(trusted_proxies="127.0.0.1", rate_limit_anonymous="off")
    _, address = await somebody(api, mailroom)
    guess = {"email": address, "password": "Wrong-Horse-9"}
    for number in range(6):
        closed, _ = await post(api, "login", headers=via(number), **guess)
    await post(api, "forgot-password", email=address)
    letter = token_of(await mailroom.one("reset"))

    await post(api, "reset-password", headers=via(10), token=letter, newPassword=NEW)
    right = {"email": address, "password": NEW}
    wrong = [(await post(api, "login", headers=via(n), **guess))[0] for n in (11, 12, 13)]
    status, _ = await post(api, "login", headers=via(14), **right)

    assert (closed, wrong, status) == (429, [401] * 3, 200)
