"""Endpoints that take no body: nothing said to them is passed over in silence."""

from io import BytesIO
from typing import Any

import aiohttp
import pytest

from tests.factories import bearer
from tests.people import admin, call, id_of, person


@pytest.mark.parametrize("body", [b'{"until": "2030-01-01"}', b"garbage", b"[1]", b"\x00"])
async def test_what_nobody_would_heed_is_refused_and_nothing_is_done(
    api: aiohttp.ClientSession, owner: Any, body: bytes
) -> None:
    boss, ada = await admin(api, owner), await person(api, owner)
    path = f"/api/v1/users/{id_of(ada)}"

    for method, ending in (("POST", "/suspend"), ("DELETE", ""), ("PUT", "/roles/manager")):
        async with api.request(method, path + ending, data=body, headers=bearer(boss)) as answer:
            told = await answer.json()
        assert (answer.status, told["error"]["code"]) == (400, "BAD_REQUEST")

    found = (await call(api, boss, "GET", f"/users/{id_of(ada)}"))[1]["data"]
    assert (found["status"], found["roles"]) == ("active", ["user"])


@pytest.mark.parametrize(
    "body", [b"", b"{}", b" { }\n", b"null", b"[]", b'{"data": {}, "meta": {"x": 1}}']
)
async def test_a_body_that_says_nothing_is_as_good_as_none(
    api: aiohttp.ClientSession, owner: Any, body: bytes
) -> None:
    boss, ada = await admin(api, owner), await person(api, owner)

    async with api.post(
        f"/api/v1/users/{id_of(ada)}/suspend", data=body, headers=bearer(boss)
    ) as answer:
        assert answer.status == 200


async def test_where_nothing_is_taken_a_body_has_the_limit_of_any_other(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss, ada = await admin(api, owner), await person(api, owner)

    async with api.post(
        f"/api/v1/users/{id_of(ada)}/suspend", data=BytesIO(b" " * 1_048_577), headers=bearer(boss)
    ) as answer:
        assert answer.status == 413


async def test_whoever_signs_out_may_send_their_token_along(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await person(api, owner)

    status, _ = await call(api, ada, "POST", "/auth/logout", {"refreshToken": ada["refreshToken"]})

    assert status == 200
