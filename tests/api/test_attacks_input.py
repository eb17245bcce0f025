"""What strangers write into bodies, headers and addresses to get more than they may."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.api.flows import AUTH, NEW, post, somebody
from tests.api.test_http import raw
from tests.conftest import Serve
from tests.factories import PASSWORD, bearer, new_user, register
from tests.mailroom import Mailroom, text_of
from workers.toolbox import Tools

_SCRIPT = '"><script>alert(1)</script>'
_BODIES: dict[str, dict[str, Any]] = {
    "register": new_user(),
    "login": {"email": "a@example.com", "password": "x"},
    "refresh": {"refreshToken": "x"},
    "forgot-password": {"email": "a@example.com"},
    "reset-password": {"token": "x", "newPassword": NEW},
    "verify-email": {"token": "x"},
    "resend-verification": {"email": "a@example.com"},
    "confirm-email": {"token": "x"},
    "undo-email-change": {"token": "x"},
    "step-up": {"password": PASSWORD},
    "change-password": {"currentPassword": PASSWORD, "newPassword": NEW},
    "change-email": {"newEmail": "b@example.com"},
}
_RIGHTS = (
    *("id", "userId", "role", "roles", "plan", "isActive", "is_active", "emailVerified"),
    *("email_verified", "permissions", "version", "deletedAt", "__proto__", "constructor"),
)
_OTHER_TYPES: tuple[Any, ...] = (True, [], {}, 0, None, 1.5, ["a@example.com"], {"$ne": ""}, 2**70)
_RAW = (
    b'{"__proto__":{"role":"admin"}}',
    b'{"data":{},"meta":{}}',
    b'{"data":{"data":{},"meta":1},"meta":{}}',
    b'{"email":1e999}',
    b'{"email":"a@example.com","email":"b@example.com"}',
    b'{"e\\u006dail":"a@example.com","email":"b@example.com"}',
    b'{"a":' + b"9" * 5_000 + b"}",
    b"\xef\xbb\xbf{}",
    b"1e999",
    b"null",
    b"",
)


@pytest.fixture
def mailroom(tools: Tools, tmp_path: Path) -> Mailroom:
    return Mailroom(tools, tmp_path)


@pytest.fixture
async def unlimited(serve: Serve) -> aiohttp.ClientSession:
    return await serve(
        rate_limit_anonymous="off", rate_limit_auth_failures="off", rate_limit_authenticated="off"
    )


def as_json(target: str, body: dict[str, Any], *headers: bytes) -> bytes:
    """Return a request that closes its connection."""
    text = json.dumps(body).encode()
    lines = (
        f"POST {target} HTTP/1.1".encode(),
        *(
            headers
            if any(item.startswith(b"Host:") for item in headers)
            else (b"Host: x", *headers)
        ),
        b"Connection: close",
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(text),
    )
    return b"\r\n".join(lines) + b"\r\n\r\n" + text


@pytest.mark.parametrize("path", _BODIES)
async def test_nobody_gives_themselves_rights_by_an_extra_field(
    unlimited: aiohttp.ClientSession, owner: Any, path: str
) -> None:
    who = await register(unlimited)
    before = await owner.fetch("SELECT * FROM users")

    found = {
        right: (await post(unlimited, path, who, **_BODIES[path] | {right: "admin"}))[0]
        for right in _RIGHTS
    }

    assert set(found.values()) == {400}, found
    assert await owner.fetch("SELECT * FROM users") == before


@pytest.mark.parametrize("path", _BODIES)
async def test_values_of_other_types_are_refused_everywhere(
    unlimited: aiohttp.ClientSession, path: str
) -> None:
    who = await register(unlimited)

    found = {
        (name, str(value)): (await post(unlimited, path, who, **_BODIES[path] | {name: value}))[0]
        for name in _BODIES[path]
        for value in _OTHER_TYPES
    }

    assert set(found.values()) == {400}, found


@pytest.mark.parametrize("path", _BODIES)
async def test_bodies_that_mean_two_things_or_none_are_refused_everywhere(
    unlimited: aiohttp.ClientSession, path: str
) -> None:
    who = await register(unlimited)
    headers = bearer(who) | {"Content-Type": "application/json"}

    for body in _RAW:
        async with unlimited.post(f"{AUTH}/{path}", data=body, headers=headers) as answer:
            assert answer.status == 400, body


@pytest.mark.parametrize(
    "email",
    [
        *("a@b@example.com", '"a b"@example.com', "a@example.com.", ".a@example.com"),
        *("a.@example.com", "a..b@example.com", "a@[127.0.0.1]", "a@-x.example", "a@localhost"),
        *("\uff41@example.com", "a\uff20example.com", "\ufb00@example.com", "a@ex\u200bample.com"),
        *("a@ex\u00adample.com", "a@xn--a.com", "a@xn--99999999.com", "<a@example.com>"),
        *("Ada <a@example.com>", "a@example.com\r\nBcc: b@example.com", "a@example.com\tb"),
        "a@" + ("\u00fc" * 30 + ".") * 7 + "example",
        f"a@{'b' * 250}.com",
    ],
)
async def test_addresses_that_only_look_like_one_are_refused(
    unlimited: aiohttp.ClientSession, owner: Any, email: str
) -> None:
    status, told = await post(unlimited, "register", **new_user(email=email))

    assert status == 400
    assert [item["field"] for item in told["error"]["details"]] == ["email"]
    assert await owner.fetchval("SELECT count(*) FROM users") == 0


@pytest.mark.parametrize(
    ("one", "other", "status"),
    [
        ("ada@example.com", "ADA@ExAmPlE.com", 409),
        ("ada@example.com", " ada@example.com ", 409),
        ("ada@example.com", "ada@\uff45xample\u3002com", 409),
        ("ada@b\u00fccher.example", "ada@xn--bcher-kva.example", 409),
        ("ada@b\u00fccher.example", "ada@bu\u0308cher.example", 409),
        ("ada@example.com", "ada@\u0435xample.com", 201),  # a Cyrillic letter: another domain
        ("ada@fass.example", "ada@fa\u00df.example", 201),
    ],
)
async def test_look_alikes_are_one_account_only_when_mail_goes_to_one_place(
    api: aiohttp.ClientSession, one: str, other: str, status: int
) -> None:
    await register(api, email=one)

    found, _ = await post(api, "register", **new_user(email=other))

    assert found == status


@pytest.mark.parametrize(
    "header",
    [
        b"X-Device-Token: odv_\xff.\xff.\xff",
        b"X-Request-Id: \xff",
        b"Authorization: Bearer a.b.\xff",
        b"X-Auth-Transport: \xff",
        b"X-Forwarded-For: \xff",
        b"Idempotency-Key: \xff",
    ],
)
async def test_headers_that_are_no_text_keep_nobody_out(
    api: aiohttp.ClientSession, server_url: str, header: bytes
) -> None:
    await register(api, email="ada@example.com")
    body = {"email": "ada@example.com", "password": PASSWORD}

    told = await raw(server_url, as_json(f"{AUTH}/login", body, b"Host: x", header))

    assert told.startswith(b"HTTP/1.1 200 "), told[:80]


async def test_no_spelling_of_another_host_gets_into_a_letter_or_a_page(
    api: aiohttp.ClientSession, server_url: str, mailroom: Mailroom
) -> None:
    _, address = await somebody(api, mailroom)
    lies = (
        b"Host: evil.example",
        b"X-Forwarded-Host: evil.example",
        b"X-Forwarded-Proto: https",
        b"Forwarded: host=evil.example;proto=https",
        b"Origin: http://evil.example",
    )

    target = f"http://evil.example{AUTH}/forgot-password"
    told = await raw(server_url, as_json(target, {"email": address}, *lies))
    page = await raw(
        server_url,
        b"GET http://evil.example/forgot-password HTTP/1.1\r\n"
        b"Host: evil.example\r\nConnection: close\r\n\r\n",
    )

    letter = await mailroom.one("reset")
    assert told.startswith(b"HTTP/1.1 200 ")
    assert b"evil" not in told + page
    assert "evil" not in text_of(letter) + text_of(letter, "html")


@pytest.mark.parametrize(
    "path", ["/reset-password", "/verify-email", "/confirm-email", "/undo-email-change"]
)
async def test_what_a_link_or_a_form_holds_is_shown_as_text(
    api: aiohttp.ClientSession, path: str
) -> None:
    given = dict.fromkeys(("token", "email", "code", "newPassword"), _SCRIPT)

    async with api.get(path, params={"token": _SCRIPT}) as answer:
        shown = await answer.text()
    async with api.post(path, data=given) as answer:
        shown += await answer.text()

    assert "<script" not in shown
    assert 'newPassword" value' not in shown


async def test_a_name_adds_neither_recipients_nor_markup_to_a_letter(
    api: aiohttp.ClientSession, mailroom: Mailroom
) -> None:
    names = ("Ada, x@example.net", "=?utf-8?q?x=40y?=", "<b>Ada</b>", "{{ 7*7 }}", '"<x@y.zz>')
    links = ("https://evil.test/x", "www.evil.test")
    for name in (*names, *links):
        await register(api, firstName=name)

    letters = await mailroom.deliver()

    assert len(letters) == len(names) + len(links)
    for letter in letters:
        assert len(letter["To"].addresses) == 1
        assert letter["To"].addresses[0].domain == "example.com"
        assert "<b>Ada" not in text_of(letter, "html")
        assert "Welcome, 49" not in text_of(letter)
        assert "evil.test" not in letter.as_string()
