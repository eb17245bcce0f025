"""Domains of e-mail addresses: those of one's own network are as good, those of numbers are not."""

from typing import Any

import aiohttp
import pytest

from api.setup.command import ensure_admin
from tests.api.flows import login, post, wish
from tests.conftest import MakeSettings
from tests.factories import PASSWORD, new_user, register
from tests.people import admin, call, id_of, person

OWN_NETWORK = [
    "ada@corp.local", "ada@app.test", "ada@home.arpa", "ada@mail.home.arpa", "ada@corp.internal",
    "ada@nas.lan", "ada@mail.corp.local",
]  # fmt: skip
NUMBERS = [
    "a@127.0.0.1", "a@1.2", "a@example.123", "a@example.0", "a@\uff11.\uff12"]  # fmt: skip
NOWHERE = [
    "a@local", "a@test", "a@arpa", "a@localhost", "a@mail.localhost", "a@mail.invalid", "a@x.onion",
    "a@10.in-addr.arpa", "a@nothome.arpa", "a@xhome.arpa", "a@home.arpa.",
    "a@example.\u0661\u0662",
]  # fmt: skip
_NUMBER = "The domain of an e-mail address ends in a name, such as com, not in a number."
_INVALID = "Not a valid e-mail address. Write one such as ada@example.com."


async def given(api: aiohttp.ClientSession, owner: Any, email: str) -> list[tuple[int, Any]]:
    """Try to give an address to people in every way there is; return the answers."""
    boss, ada = await admin(api, owner), await person(api, owner)
    new = {"email": email, "firstName": "Ada", "lastName": "Lovelace"}
    answers = [
        await call(api, boss, "PATCH", f"/users/{id_of(ada)}", {"email": email}),
        await wish(api, boss, email),
    ]
    await owner.execute("DELETE FROM users WHERE id = $1", id_of(ada))
    answers.append(await call(api, boss, "POST", "/users", new))
    await owner.execute("DELETE FROM users WHERE id <> $1", id_of(boss))
    return [*answers, await post(api, "register", **new_user(email=email))]


@pytest.mark.parametrize("email", OWN_NETWORK)
async def test_addresses_of_ones_own_network_are_taken_everywhere(
    api: aiohttp.ClientSession, owner: Any, email: str
) -> None:
    answers = await given(api, owner, email.upper())
    boss = await admin(api, owner)
    _, found = await call(api, boss, "GET", f"/users?filter[email]={email}")

    assert [status for status, _ in answers] == [200, 200, 201, 201], answers
    assert [item["email"] for item in found["data"]] == [email]
    assert await login(api, email) == 200
    assert (await post(api, "forgot-password", email=email))[0] == 200
    assert (await post(api, "resend-verification", email=email))[0] == 200


@pytest.mark.parametrize(
    ("email", "message"),
    [*((email, _NUMBER) for email in NUMBERS), *((email, _INVALID) for email in NOWHERE)],
    ids=lambda value: ascii(value)[:20],
)
async def test_addresses_where_nobody_has_mail_are_given_to_nobody(
    api: aiohttp.ClientSession, owner: Any, email: str, message: str
) -> None:
    answers = await given(api, owner, email)

    assert [status for status, _ in answers] == [400] * 4
    details = [told["error"]["details"] for _, told in answers]
    wanted = [{"field": "email", "message": message}]
    assert details == [wanted, [wanted[0] | {"field": "newEmail"}], wanted, wanted]


async def test_whoever_was_given_an_address_of_numbers_before_is_still_let_in_and_found(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await register(api)
    await owner.execute("UPDATE users SET email = 'ada@192.0.2.1' WHERE id = $1", id_of(ada))
    boss = await admin(api, owner)

    _, found = await call(api, boss, "GET", "/users?filter[email]=ada@192.0.2.1")

    assert [item["id"] for item in found["data"]] == [id_of(ada)]
    assert await login(api, "ada@192.0.2.1") == 200
    assert (await post(api, "forgot-password", email="ada@192.0.2.1"))[0] == 200


async def test_the_first_admin_may_live_in_ones_own_network(
    clean: None, make_settings: MakeSettings, owner: Any
) -> None:
    settings = make_settings(admin_email="root@corp.local", admin_password=PASSWORD)

    found = await ensure_admin(settings)

    assert found["ok"], found
    assert await owner.fetchval("SELECT email FROM users") == "root@corp.local"


@pytest.mark.parametrize(("email", "message"), [("root@10.0.0.1", _NUMBER), ("root", _INVALID)])
async def test_a_wrong_address_of_the_first_admin_is_refused_with_its_reason(
    clean: None, make_settings: MakeSettings, owner: Any, email: str, message: str
) -> None:
    found = await ensure_admin(make_settings(admin_email=email, admin_password=PASSWORD))

    assert (found["ok"], found["text"]) == (False, f"ADMIN_EMAIL, ADMIN_PASSWORD: {message}")
    assert await owner.fetchval("SELECT count(*) FROM users") == 0
