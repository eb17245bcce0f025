"""Phone and date of birth rest sealed, stay out of logs, and survive a missing key."""

import io
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from api.parts import Parts
from ops.crypto import KeyRing, SecretKey
from ops.logging import set_up
from tests.api.lines import settled
from tests.conftest import MakeSettings, Serve
from tests.factories import SECRET_KEYS, register
from tests.mailroom import everything_kept
from tests.people import admin, call, id_of

PATH = "/users/me/profile"
PHONE, BORN, BIO = "+12025550123", "1906-12-09", "Canary of a bio, found a moth."
SECRETS = {"phone": PHONE, "dateOfBirth": BORN}
NEWER = f"k2:{b64encode(b'2' * 32).decode()}"
LOST = KeyRing([SecretKey("lost", b"l" * 32)])
_ROW = "SELECT phone, date_of_birth FROM user_profiles WHERE user_id = $1"
_SET_PHONE = "UPDATE user_profiles SET phone = $2 WHERE user_id = $1"


@pytest.fixture
def log(make_settings: MakeSettings) -> Iterator[io.StringIO]:
    """Log into memory."""
    output = io.StringIO()
    set_up(make_settings(log_level="debug"), process="test", output=output)
    yield output
    set_up(make_settings(), process="test")


async def seal_under_a_lost_key(owner: Any, user_id: str) -> bytes:
    """Make somebody's phone one that nobody can open."""
    found = await owner.fetchval("SELECT id FROM users WHERE id = $1", user_id)
    envelope = LOST.seal(PHONE.encode(), purpose="profile phone", aad=found.bytes)
    await owner.execute(_SET_PHONE, user_id, envelope)
    return envelope


async def test_the_table_has_neither_phone_nor_date_of_birth(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada, bob = await register(api), await register(api)
    for who in (ada, bob):
        await call(api, who, "PUT", PATH, SECRETS)

    rows = [await owner.fetchrow(_ROW, id_of(who)) for who in (ada, bob)]
    whole = await owner.fetchval("SELECT string_agg(p::text, ' ') FROM user_profiles AS p")

    sealed = [value for row in rows for value in row.values()]
    assert len({value[-20:] for value in sealed}) == 4
    for secret in (PHONE, PHONE[1:], BORN):
        assert all(secret.encode() not in value for value in sealed)
        assert secret not in whole
        assert secret.encode().hex() not in whole


async def test_an_envelope_opens_in_no_other_row_and_no_other_column(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada, bob = await register(api), await register(api)
    await call(api, ada, "PUT", PATH, SECRETS)
    await call(api, bob, "PUT", PATH, {"phone": "+436601234567"})
    phone, born = await owner.fetchrow(_ROW, id_of(ada))

    await owner.execute(_SET_PHONE, id_of(bob), phone)
    _, of_bob = await call(api, bob, "GET", PATH)
    await owner.execute(_SET_PHONE, id_of(ada), born)
    _, of_ada = await call(api, ada, "GET", PATH)

    for told in (of_bob, of_ada):
        assert (told["data"]["phone"], told["data"]["unreadable"]) == (None, ["phone"])
    assert of_ada["data"]["dateOfBirth"] == BORN


@pytest.mark.parametrize("damaged", [b"", b"\x01", b"\x01\xff", b"\x02\x02k1", b"\x01\x02k1x"])
async def test_what_is_no_envelope_is_told_of(
    api: aiohttp.ClientSession, owner: Any, damaged: bytes
) -> None:
    ada = await register(api)
    await call(api, ada, "PUT", PATH, SECRETS)
    await owner.execute(_SET_PHONE, id_of(ada), damaged)

    status, told = await call(api, ada, "GET", PATH)

    assert (status, told["data"]["unreadable"]) == (200, ["phone"])


async def test_a_missing_key_is_told_of_logged_and_counted(
    api: aiohttp.ClientSession, owner: Any, parts: Parts, log: io.StringIO
) -> None:
    ada = await register(api)
    await call(api, ada, "PUT", PATH, {"bio": BIO} | SECRETS)
    await seal_under_a_lost_key(owner, id_of(ada))
    counter = parts.metrics.profile_values_unreadable.labels("phone")
    before = counter._value.get()

    status, told = await call(api, ada, "GET", PATH)

    data = told["data"]
    assert (status, data["phone"], data["unreadable"]) == (200, None, ["phone"])
    assert (data["bio"], data["dateOfBirth"]) == (BIO, BORN)
    assert counter._value.get() == before + 1
    line = next(line for line in log.getvalue().splitlines() if "SECRET_KEYS" in line)
    assert '"lost"' in line
    assert '"phone"' in line


async def test_what_cannot_be_read_is_not_overwritten_by_nothing(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await register(api)
    await call(api, ada, "PUT", PATH, SECRETS)
    envelope = await seal_under_a_lost_key(owner, id_of(ada))
    _, before = await call(api, ada, "GET", PATH)

    for body in ({"bio": "x"}, {"bio": "x", "phone": None}):
        status, told = await call(api, ada, "PUT", PATH, body)
        assert (status, told["error"]["code"]) == (409, "CONFLICT")
        assert [detail["field"] for detail in told["error"]["details"]] == ["phone"]
    assert (await owner.fetchrow(_ROW, id_of(ada)))["phone"] == envelope
    assert (await call(api, ada, "GET", PATH))[1]["data"] == before["data"]

    assert (await call(api, ada, "PUT", PATH, {"phone": "+436601234567"}))[0] == 200
    _, after = await call(api, ada, "GET", PATH)
    assert (after["data"]["phone"], after["data"]["unreadable"]) == ("+436601234567", [])
    assert (await call(api, ada, "PUT", PATH, {}))[0] == 200


async def test_each_value_of_a_lost_key_is_kept_until_another_takes_its_place(
    serve: Serve, owner: Any
) -> None:
    newer, older = await serve(secret_keys=f"{NEWER},{SECRET_KEYS}"), await serve()
    ada = await register(older)
    await call(newer, ada, "PUT", PATH, SECRETS)
    before = await owner.fetchrow(_ROW, id_of(ada))
    told = []

    for body in ({}, {"phone": PHONE}, {"dateOfBirth": "1906-12-09"}):
        status, answer = await call(older, ada, "PUT", PATH, body)
        told.append((status, [detail["field"] for detail in answer["error"]["details"]]))

    assert told == [
        (409, ["phone", "dateOfBirth"]),
        (409, ["dateOfBirth"]),
        (409, ["phone"]),
    ]
    assert await owner.fetchrow(_ROW, id_of(ada)) == before


async def test_keys_are_rotated_without_losing_a_value(serve: Serve, owner: Any) -> None:
    old = await serve()
    rotated = await serve(secret_keys=f"{NEWER},{SECRET_KEYS}")
    ada, bob = await register(old), await register(old)
    for who in (ada, bob):
        await call(old, who, "PUT", PATH, SECRETS)

    _, read = await call(rotated, ada, "GET", PATH)
    await call(rotated, ada, "PUT", PATH, SECRETS | {"bio": "Written anew."})
    phone, born = await owner.fetchrow(_ROW, id_of(ada))

    assert {name: read["data"][name] for name in SECRETS} == SECRETS
    assert phone[2:4] == born[2:4] == b"k2"
    assert (await owner.fetchrow(_ROW, id_of(bob)))["phone"][2:4] == b"k1"
    assert (await call(rotated, ada, "GET", PATH))[1]["data"]["phone"] == PHONE
    assert (await call(old, ada, "GET", PATH))[1]["data"]["unreadable"] == ["phone", "dateOfBirth"]


async def test_what_people_tell_of_themselves_is_neither_logged_nor_noted(
    api: aiohttp.ClientSession, owner: Any, parts: Parts, log: io.StringIO
) -> None:
    root, ada = await admin(api, owner), await register(api)
    canaries = [PHONE, PHONE[1:], BORN, BIO, "canary-topic", "canary-picture"]
    body = {
        "bio": BIO,
        "notificationPreferences": {"canary-topic": True},
        "profilePicture": "https://cdn.example.com/canary-picture.png",
    }

    for who in (ada, root):
        await call(api, who, "PUT", f"/users/{id_of(ada)}/profile", body | SECRETS)
        await call(api, who, "GET", f"/users/{id_of(ada)}/profile")
    await call(api, ada, "PUT", PATH, body | SECRETS | {"phone": f"{PHONE}x", "bio": BIO + "\0"})
    await call(api, ada, "PUT", PATH, body | SECRETS | {"dateOfBirth": f"{BORN}x"})
    await call(api, ada, "PUT", PATH, body | SECRETS | {"bio": "x"}, If_Match='"1-00000000"')

    await settled()
    logged = log.getvalue()
    kept = await everything_kept(owner, parts.redis._client)
    noted = await owner.fetchval("SELECT string_agg(a::text, ' ') FROM audit_inbox AS a")
    assert "/profile" in logged
    assert "profile.changed" in noted
    assert [canary for canary in canaries if canary in logged + noted] == []
    assert [secret for secret in canaries[:3] if secret in kept] == []
