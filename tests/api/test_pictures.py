"""Addresses of pictures: what a browser can fetch and what breaks out of no attribute."""

from typing import Any

import aiohttp
import pytest

from tests.people import call, person

_INVALID = "Send an http or https address."
_SIGNS = 'Write spaces and "<>\\^`{|} as percent escapes, such as %20.'
_ESCAPE = "Write two hexadecimal digits after every %, and % itself as %25."
_USER = "Leave user name and password out of the address."
_PORT = "Send a port of at most 65535, or none."
_CONTROLS = "Control characters are not allowed."

REFUSED = [
    ('http://example.com/"onerror="alert(1)', _SIGNS),
    ("https://example.com/<script>", _SIGNS),
    ("https://example.com/a>b", _SIGNS),
    ("https://example.com/a b.png", _SIGNS),
    ("https://example.com/a\u00a0b.png", _SIGNS),
    ("https://example.com/a\\b.png", _SIGNS),
    ("https://example.com/a^b", _SIGNS),
    ("https://example.com/`a`", _SIGNS),
    ("https://example.com/?a={b}", _SIGNS),
    ("https://example.com/#a|b", _SIGNS),
    ("https://example.com\\@evil.example/", _SIGNS),
    ("https://example.com/%zz", _ESCAPE),
    ("https://example.com/100%", _ESCAPE),
    ("https://example.com/?a=%4", _ESCAPE),
    ("https://good.example.com@evil.example/x.png", _USER),
    ("http://user:pw@example.com/a.png", _USER),
    ("http://@example.com/a.png", _USER),
    ("http://example.com:99999/a.png", _PORT),
    ("http://example.com:65536", _PORT),
    (f"http://example.com:{'9' * 1_900}/", _PORT),
    ("http://example.com:80a/", _INVALID),
    ("http://example.com:-1/", _INVALID),
    ("http://example.com:\u0661/", _INVALID),
    ("http://", _INVALID),
    ("http:///a.png", _INVALID),
    ("http:/example.com/a.png", _INVALID),
    ("https://?a", _INVALID),
    ("http://.example.com/", _INVALID),
    ("http://a..example.com/", _INVALID),
    ("http://-a.example.com/", _INVALID),
    ("http://%65xample.com/", _INVALID),
    (f"http://{'a' * 64}.example.com/", _INVALID),
    ("http://[::1/a.png", _INVALID),
    ("http://[::g]/a.png", _INVALID),
    ("http://[1::2::3]/a.png", _INVALID),
    ("http://a[::1]/a.png", _INVALID),
    ("http://[::1]a/a.png", _INVALID),
    ("http://[]/a.png", _INVALID),
    ("http://example.com\uff0f@evil.example/", _INVALID),
    ("ftp://example.com/a.png", _INVALID),
    ("//example.com/a.png", _INVALID),
    ("data:image/png;base64,AAAA", _INVALID),
    ("", _INVALID),
    (7, _INVALID),
    ("http://example.com/\u202egnp.a", _CONTROLS),
    ("http://exa\u200dmple.com/a.png", _CONTROLS),
    ("http://example.com/a\nb", _CONTROLS),
    ("https://example.com/" + "a" * 2_029, "Write at most 2,048 characters."),
]
TAKEN = [
    "https://my_bucket.s3.amazonaws.com/a.png",
    "https://_dev.example.com/a.png",
    "HTTPS://Example.COM/a.png",
    "http://localhost:3000/a.png",
    "http://pictures/a.png",
    "http://192.0.2.7:65535/a.png",
    "http://[2001:db8::1]:8080/a.png",
    "http://example.com.",
    "https://example.com?size=64#face",
    "https://example.com/a%20b/%C3%BC.png?sig=a+b/c==&x='(1)'*!~",
    "https://example.com/user@example.com/a.png?to=a@b",
    "https://b\u00fccher.example/\u00fc.png",
    "https://\u4f8b\u3048.\u30c6\u30b9\u30c8/a.png",
    "https://xn--bcher-kva.example/a.png",
    "https://example.com/" + "a" * 2_028,
]


@pytest.mark.parametrize(("address", "message"), REFUSED, ids=lambda value: ascii(value)[:40])
async def test_what_is_no_address_of_a_picture_is_refused_with_what_to_do(
    api: aiohttp.ClientSession, owner: Any, address: Any, message: str
) -> None:
    ada = await person(api, owner)

    answers = [
        await call(api, ada, "PATCH", "/users/me", {"profilePicture": address}),
        await call(api, ada, "PUT", "/users/me/profile", {"avatar": address}),
    ]

    wanted = [{"field": "profilePicture", "message": message}]
    assert [(status, told["error"]["details"]) for status, told in answers] == [(400, wanted)] * 2


@pytest.mark.parametrize("address", TAKEN, ids=lambda value: ascii(value)[:40])
async def test_addresses_that_browsers_fetch_are_taken_as_they_are(
    api: aiohttp.ClientSession, owner: Any, address: str
) -> None:
    ada = await person(api, owner)

    answers = [
        await call(api, ada, "PATCH", "/users/me", {"avatar": address}),
        await call(api, ada, "PUT", "/users/me/profile", {"profilePicture": address}),
    ]

    shown = [(status, told["data"]["profilePicture"]) for status, told in answers]
    assert shown == [(200, address)] * 2


@pytest.mark.parametrize(("method", "path"), [("PATCH", "/users/me"), ("PUT", "/users/me/profile")])
async def test_a_picture_has_one_name_at_a_time(
    api: aiohttp.ClientSession, owner: Any, method: str, path: str
) -> None:
    ada = await person(api, owner)
    both = {"avatar": "https://a.example/1", "profilePicture": "https://a.example/2"}

    status, told = await call(api, ada, method, path, both)

    wrong = [{"field": "avatar", "message": "Send profilePicture or avatar, not both."}]
    assert (status, told["error"]["details"]) == (400, wrong)
