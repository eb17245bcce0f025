"""Queries of lists: strict at every parameter, every mistake named at once, cursors sealed."""

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from yarl import URL

from api.parts import Parts
from ops.crypto import KeyRing, SecretKey
from tests.api.standards import THINGS, standing

ID = "01935b5c-6d1e-7a3b-8c4d-5e6f708192a3"
OTHER_KEYS = KeyRing([SecretKey("k1", b"2" * 32)])


@pytest.fixture(scope="module")
async def client(parts: Parts) -> AsyncIterator[aiohttp.ClientSession]:
    async with standing(parts) as found:
        yield found


async def listed(
    client: aiohttp.ClientSession, query: str = "", path: str = THINGS
) -> tuple[int, Any]:
    """Ask for a list with a query exactly as it is written."""
    url = URL(f"{str(client._base_url).rstrip('/')}{path}?{query}", encoded=True)
    async with client.get(url, headers={"Accept-Encoding": "identity"}) as answer:
        return answer.status, await answer.json()


def wrong_in(told: Any) -> list[str]:
    """Return the names of the parameters that an answer complains of."""
    assert told["error"]["code"] == "VALIDATION_ERROR", told
    return [item["field"] for item in told["error"]["details"]]


@pytest.mark.parametrize(
    "query",
    [
        "page=0", "page=-1", "page=1.5", "page=1e9", "page=%EF%BC%91", "page=%201", "page=+1",
        "page=%2B1", "page=true", "page=", "page=1%00", "page=9999999999", "page=0x1", "page=1_0",
        "page=%D9%A1", "limit=0", "limit=101", "limit=1e9", "limit=-20", "limit=", "limit=all",
        "limit=%0A20", "sort=password", "sort=createdat", "sort=", "sort=created_at", "sort=id;--",
        "order=DESC", "order=", "order=descending", "fields=passwordHash", "fields=", "fields=id,",
        "fields=*", "fields=id,version", "filter[role]=root", "filter[role]=", "filter[role]=ADMIN",
        "filter[verified]=1", "filter[verified]=True", "filter[verified]=", "filter[id]=1",
        "filter[id]=", f"filter[id]={ID},", f"filter[id]={','.join([ID] * 101)}", "filter[name]=",
        "filter[name]=" + "x" * 21, "filter[name]=%00", "filter[name]=%ff", "filter[name]=%C3",
        "filter[name]=%ED%A0%80", "search=%00", "search=%ff", "search=" + "x" * 101,
        "search=a+b+c+d+e+f", "cursor=x", "cursor=%C3%A9", "cursor=%00", "cursor=" + "A" * 7000,
        "dateFrom=today", "dateFrom=", "dateFrom=0000-01-01", "dateFrom=10000-01-01",
        "dateFrom=2026-02-29", "dateFrom=2026-13-01", "dateFrom=2026-11-21T10:30:00",
        "dateFrom=2026-11-21T10:30:60Z", "dateFrom=2026-11-21T25:00:00Z", "dateFrom=2026-11-21T10Z",
        "dateFrom=2026-11-21T10:30:00+01:00", "dateFrom=2026-11-21T10:30:00%2B99:00",
        "dateFrom=0001-01-01T00:00:00%2B14:00", "dateTo=9999-12-31", "dateFrom=20261121",
        "dateTo=9999-12-31T23:59:59.999999Z", "dateFrom=%D9%A2026-11-21", "dateFrom=1700000000",
        "dateFrom=2026-11-21T10:30:00.1234567Z", "dateFrom=2026-W47-6", "dateFrom=-2026-11-21",
    ],
)  # fmt: skip
async def test_a_wrong_value_is_named(client: aiohttp.ClientSession, query: str) -> None:
    status, told = await listed(client, query)

    assert status == 400
    assert wrong_in(told) == [query.partition("=")[0]]
    assert told["error"]["details"][0]["message"].endswith(".")


@pytest.mark.parametrize(
    "name",
    [
        "filter", "filter[]", "filter[role][x]", "FILTER[role]", "filter[password]", "filter[role",
        "filter[Role]", "Page", "offset", "page ", "_id", "filter[role]]", "filter[__class__]", "",
        "filter[role]\u200b", "filters[role]", "limit[]", "\ufffd", "x" * 500, "sort[$gt]",
    ],
)  # fmt: skip
async def test_an_unknown_parameter_is_named_with_those_there_are(
    client: aiohttp.ClientSession, name: str
) -> None:
    status, told = await listed(client, f"{quote(name)}=1")

    assert status == 400
    [detail] = told["error"]["details"]
    assert detail["field"] == name[:100]
    assert "page, limit, cursor, sort, order, dateFrom, dateTo, fields, search" in detail["message"]
    assert "filter[role], filter[verified]" in detail["message"]


async def test_every_mistake_is_told_at_once(client: aiohttp.ClientSession) -> None:
    query = "page=0&limit=101&sort=x&order=x&fields=x&filter[role]=x&nothing=1&search=a&search=b"

    status, told = await listed(client, f"{query}&dateFrom=x&dateTo=y&cursor=z")

    assert status == 400
    names = "page limit sort order fields filter[role] nothing search dateFrom dateTo cursor"
    assert sorted(wrong_in(told)) == sorted(names.split())
    by_field = {item["field"]: item["message"] for item in told["error"]["details"]}
    assert by_field["sort"] == "Choose among createdAt, name."
    assert by_field["filter[role]"] == "Choose among admin, user."
    assert by_field["fields"] == "Choose among id, name, note."
    assert by_field["search"] == "Send it once."
    assert "not both" in by_field["cursor"]


async def test_a_thousand_mistakes_do_not_make_a_megabyte(client: aiohttp.ClientSession) -> None:
    status, told = await listed(client, "&".join(f"x{number}" for number in range(1_000)))

    assert status == 400
    assert len(told["error"]["details"]) == 21
    assert told["error"]["details"][-1]["message"] == "And 980 more."
    assert len(json.dumps(told)) < 10_000


async def test_what_is_sent_twice_is_refused_whatever_it_says(
    client: aiohttp.ClientSession,
) -> None:
    for name, value in (("page", "1"), ("limit", "5"), ("filter[role]", "user"), ("fields", "id")):
        status, told = await listed(client, f"{name}={value}&{name}={value}")

        assert (status, wrong_in(told)) == (400, [name])


async def test_a_query_of_a_hundred_kilobytes_is_a_bad_request(
    client: aiohttp.ClientSession,
) -> None:
    for name in ("search", "cursor", "x"):
        status, told = await listed(client, f"{name}={'a' * 100_000}")

        assert (status, told["error"]["code"]) == (400, "BAD_REQUEST")


async def test_bare_bytes_that_are_no_text_are_told_in_text(client: aiohttp.ClientSession) -> None:
    port = URL(str(client._base_url)).port
    for target in (b"search=\xff", b"\xff\xfe=1", b"filter[name]=\xed\xa0\x80", b"cursor=\xc3"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = b"GET " + THINGS.encode() + b"?" + target + b" HTTP/1.1\r\nHost: x\r\n"
        writer.write(head + b"Connection: close\r\n\r\n")
        told = await reader.read()
        writer.close()

        assert told.split()[1] == b"400", told
        assert b'"success":false' in told


@pytest.mark.parametrize(
    ("query", "understood"),
    [
        ("", ["limit=20", "offset=0", "descending=True", "sort='createdAt'"]),
        ("page=3&limit=100", ["offset=200", "limit=100"]),
        ("page=999999999&limit=100", ["offset=99999999800"]),
        ("sort=name&order=asc", ["sort='name'", "descending=False"]),
        ("search=%20Ada%20%20L%C3%B6v%20", ["words=('Ada', 'L\u00f6v')"]),
        ("search=", ["words=()"]),
        (f"search={'a' * 100}", [f"words=('{'a' * 100}',)"]),
        ("search=%25_%5C'", ['words=("%_']),
        ("filter[verified]=true&filter[role]=admin", ["'verified': True", "'role': 'admin'"]),
        (f"filter[id]={','.join([ID] * 100)}", [f"UUID('{ID}')"]),
        ("filter%5Bname%5D=%25_", ["'name': '%_'"]),
        ("dateFrom=2026-11-21&dateTo=2026-11-21", ["2026, 11, 21, 0, 0,", "2026, 11, 22, 0, 0,"]),
        ("dateTo=2026-11-21T10:30:00Z", ["2026, 11, 21, 10, 30, 1,"]),
        ("dateTo=2026-11-21T10:30:00.123Z", ["2026, 11, 21, 10, 30, 0, 124000"]),
        ("dateTo=2026-11-21T10:30:00.123456Z", ["2026, 11, 21, 10, 30, 0, 123457"]),
        ("dateFrom=2026-11-21T01:30:00%2B02:00", ["2026, 11, 20, 23, 30"]),
        ("dateFrom=0001-01-01", ["datetime.datetime(1, 1, 1"]),
        ("cursor=", ["offset=None", "after=None"]),
    ],
)
async def test_what_is_right_is_understood(
    client: aiohttp.ClientSession, query: str, understood: list[str]
) -> None:
    status, told = await listed(client, query)

    assert status == 200, told
    for part in understood:
        assert part in told["data"][0]["name"], part


async def test_only_the_chosen_fields_come(client: aiohttp.ClientSession) -> None:
    _, some = await listed(client, "fields=note,id")
    _, one = await listed(client, "fields=name", path=f"{THINGS}/1")
    status, wrong = await listed(client, "fields=version", path=f"{THINGS}/1")
    _, twice = await listed(client, "fields=id&fields=id", path=f"{THINGS}/1")

    assert some["data"] == [{"note": None, "id": "1"}]
    assert one["data"] == {"name": "Lamp"}
    assert (status, wrong["error"]["details"][0]["message"]) == (
        400,
        "Choose among id, name, note.",
    )
    assert wrong_in(twice) == ["fields"]


async def test_where_no_list_is_unknown_parameters_are_ignored(
    client: aiohttp.ClientSession,
) -> None:
    status, _ = await listed(client, "utm_source=mail&page=0&page=%ff", path=f"{THINGS}/1")

    assert status == 200


async def test_pages_and_cursors_say_where_one_is(client: aiohttp.ClientSession) -> None:
    _, first = await listed(client, "limit=1")
    cursor = first["pagination"]["nextCursor"]
    _, second = await listed(client, f"limit=1&cursor={cursor}")
    _, begun = await listed(client, "limit=1&cursor=")

    assert first["pagination"] == {
        "page": 1, "limit": 1, "hasNext": True, "hasPrev": False,
        "total": 2, "totalPages": 2, "totalIsExact": True, "nextCursor": cursor,
    }  # fmt: skip
    assert second["pagination"] == {
        "limit": 1, "hasNext": False, "hasPrev": True, "nextCursor": None,
    }  # fmt: skip
    assert (begun["pagination"]["hasNext"], begun["pagination"]["hasPrev"]) == (True, False)
    assert "after=Cursor(value='2026-11-21 10:30:00+00'" in second["data"][0]["name"]


async def cursor_of(client: aiohttp.ClientSession, query: str = "", path: str = THINGS) -> str:
    _, told = await listed(client, query, path)
    return str(told["pagination"]["nextCursor"])


async def test_a_cursor_goes_on_under_every_alias_and_with_another_limit(
    client: aiohttp.ClientSession,
) -> None:
    cursor = await cursor_of(client, "sort=name&filter[role]=user")

    for path in (THINGS, "/api/things"):
        query = f"limit=7&fields=id&sort=name&filter[role]=user&cursor={cursor}"
        assert (await listed(client, query, path))[0] == 200


@pytest.mark.parametrize(
    "other",
    [
        "sort=name&", "order=asc&", "search=a&", "filter[role]=admin&", "filter[verified]=true&",
        "dateFrom=2026-11-21&", "dateTo=2026-11-21&",
    ],
)  # fmt: skip
async def test_a_cursor_belongs_to_its_query(client: aiohttp.ClientSession, other: str) -> None:
    cursor = await cursor_of(client, "filter[role]=user" if "role" in other else "")

    status, told = await listed(client, f"{other}cursor={cursor}")

    assert (status, wrong_in(told)) == (400, ["cursor"])


async def test_a_cursor_belongs_to_its_list(client: aiohttp.ClientSession) -> None:
    of_ada = f"{THINGS}/of/ada"
    cursor = await cursor_of(client, path=of_ada)

    own, _ = await listed(client, f"cursor={cursor}", "/api/things/of/ada")
    bobs, told = await listed(client, f"cursor={cursor}", f"{THINGS}/of/bob")
    all_, _ = await listed(client, f"cursor={cursor}")

    assert (own, bobs, all_) == (200, 400, 400)
    assert wrong_in(told) == ["cursor"]


async def test_forged_cursors_are_refused(client: aiohttp.ClientSession, parts: Parts) -> None:
    good = await cursor_of(client)
    plain = b'["2026-11-21","01935b5c-6d1e-7a3b-8c4d-5e6f708192a3"]'
    place = b'["/api/v1/things","createdAt",true,[],null,null,[]]'
    foreign = OTHER_KEYS.seal(plain, purpose="list cursor", aad=place)
    elsewhere = parts.keys.seal(plain, purpose="another purpose", aad=place)
    ours = parts.keys.seal(plain, purpose="list cursor", aad=place)
    as_text = [urlsafe_b64encode(item).decode() for item in (plain, foreign, elsewhere, ours)]
    middle = "B" if good[40] == "A" else "A"
    forged = [good[:-4], good[1:], f"{good[:40]}{middle}{good[41:]}", good + "AAAA", f"{good}!"]
    forged += [f"{good[:9]}!{good[9:]}", good.upper(), "null", "-1", "=", "A" * 5_000, *as_text[:3]]

    assert (await listed(client, f"cursor={good}"))[0] == 200
    assert (await listed(client, f"cursor={as_text[3]}"))[0] == 200
    for cursor in forged:
        status, told = await listed(client, f"cursor={quote(cursor)}")
        assert (status, wrong_in(told)) == (400, ["cursor"]), cursor
