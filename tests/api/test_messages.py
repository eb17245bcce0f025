"""Messages about a wrong field tell what to do about it."""

from typing import Any

import aiohttp
import pytest

from tests.api.flows import post
from tests.conftest import Serve
from tests.factories import PASSWORD, new_user
from tests.people import admin, call, id_of, person

_LANGUAGE = "Write a language tag of BCP 47, such as en or de-AT."
_NOT_NULL = "This cannot be null: send a value or leave it out."
_NOT_NULL_AT_ALL = "This cannot be null: send a value."
_NEW = {"email": "grace@example.com", "firstName": "Grace", "lastName": "Hopper"}


def wrong(told: Any) -> dict[str, str]:
    """Return what is wrong by field."""
    return {item["field"]: item["message"] for item in told["error"]["details"]}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("de-at", "de-AT"), ("EN", "en"), (" zh-hant-tw ", "zh-Hant-TW"), ("es-419", "es-419")],
)
async def test_the_locale_of_a_user_is_written_one_way_as_the_language_of_a_profile_is(
    api: aiohttp.ClientSession, owner: Any, sent: str, kept: str
) -> None:
    ada = await person(api, owner)

    _, user = await call(api, ada, "PATCH", "/users/me", {"locale": sent})
    _, profile = await call(api, ada, "PUT", "/users/me/profile", {"language": sent})

    assert user["data"]["locale"] == profile["data"]["language"] == kept


@pytest.mark.parametrize("locale", ["", "de_AT", "english", "../../etc", "en-" + "a" * 40, 7])
async def test_what_is_no_locale_is_told_what_one_looks_like(
    api: aiohttp.ClientSession, owner: Any, locale: Any
) -> None:
    ada = await person(api, owner)

    status, told = await call(api, ada, "PATCH", "/users/me", {"locale": locale})

    assert (status, wrong(told)) == (400, {"locale": _LANGUAGE})


@pytest.mark.parametrize("page", ["0", "1000000000", "x"])
async def test_what_is_no_page_is_told_the_last_one(
    api: aiohttp.ClientSession, owner: Any, page: str
) -> None:
    boss = await admin(api, owner)

    status, told = await call(api, boss, "GET", f"/users?page={page}")
    last, _ = await call(api, boss, "GET", "/users?page=999999999")

    message = "Send a number from 1 to 999999999; further in, use a cursor."
    assert (status, wrong(told)) == (400, {"page": message})
    assert last == 200


@pytest.mark.parametrize("profile", ["seed", "strict"])
@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("", "Password cannot be empty"),
        ("Aa1-" * 75, "Password must have at most 256 characters"),
        ("Aa1-" * 10_000, "Password must have at most 256 characters"),
    ],
    ids=["empty", "long", "endless"],
)
async def test_no_password_is_told_a_length_that_the_policy_would_refuse(
    serve: Serve, profile: str, password: str, message: str
) -> None:
    api = await serve(security_profile=profile)

    register = await post(api, "register", **new_user(password=password))
    login = await post(api, "login", email="ada@example.com", password=password)
    reset = await post(api, "reset-password", token="x", newPassword=password)

    assert [(status, wrong(told)) for status, told in (register, login, reset)] == [
        (400, {"password": message}),
        (400, {"password": message}),
        (400, {"newPassword": message}),
    ]


async def test_administrators_are_not_told_to_sign_in_with_somebody_elses_address(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss, ada = await admin(api, owner), await person(api, owner)
    await call(api, boss, "POST", "/users", _NEW)
    known = {"email": _NEW["email"]}

    answers = [
        await call(api, boss, "POST", "/users", _NEW),
        await call(api, boss, "PATCH", f"/users/{id_of(ada)}", known),
        await post(api, "register", **new_user(**known)),
    ]

    assert [status for status, _ in answers] == [409] * 3
    errors = [told["error"] for _, told in answers]
    text = "Somebody has this address. Look for them by filter[email], or choose another address."
    assert [error["message"] for error in errors] == [
        text,
        text,
        "This e-mail address is already registered. Sign in, or reset the password.",
    ]
    taken = [{"field": "email", "message": "Email already exists"}]
    assert [(error["code"], error["details"]) for error in errors] == [
        ("DUPLICATE_ENTRY", taken)
    ] * 3
    _, after = await call(api, boss, "GET", f"/users/{id_of(ada)}")
    assert after["data"]["email"] == ada["user"]["email"]


async def test_null_is_told_what_to_send_instead(api: aiohttp.ClientSession, owner: Any) -> None:
    boss = await admin(api, owner)
    profile = dict.fromkeys(("bio", "language", "notificationPreferences"))
    names = {"firstName": "Ada", "lastName": "Lovelace"}

    asked = {
        "create": await call(api, boss, "POST", "/users", _NEW | {"role": None, "password": None}),
        "profile": await call(api, boss, "PUT", "/users/me/profile", profile),
        "login": await post(api, "login", email=None, password=PASSWORD),
        "replace": await call(api, boss, "PUT", "/users/me", names | {"locale": None}),
        "change": await call(api, boss, "PATCH", "/users/me", {"firstName": None}),
    }

    assert {name: status for name, (status, _) in asked.items()} == dict.fromkeys(asked, 400)
    assert {name: wrong(told) for name, (_, told) in asked.items()} == {
        "create": {"role": _NOT_NULL, "password": _NOT_NULL},
        "profile": dict.fromkeys(profile, _NOT_NULL),
        "login": {"email": _NOT_NULL_AT_ALL},
        "replace": {"locale": _NOT_NULL},
        "change": {"firstName": "This cannot be removed: leave it out to keep what it is."},
    }
