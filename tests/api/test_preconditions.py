"""ETag, If-Match, If-None-Match as RFC 9110 has them; merge patches as RFC 7396 has them."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from api.parts import Parts, open_parts
from storage.roles import BuiltInRole
from tests.api.standards import THINGS, described, standing
from tests.conftest import MakeSettings
from tests.factories import CHEAP
from tests.people import call, person

LAMP = f"{THINGS}/1"
MERGE = "application/merge-patch+json"


@pytest.fixture(scope="module")
async def server(parts: Parts) -> AsyncIterator[aiohttp.ClientSession]:
    async with standing(parts) as found:
        yield found


@pytest.fixture
async def client(server: aiohttp.ClientSession) -> aiohttp.ClientSession:
    await server.post(f"{THINGS}/again")
    return server


async def got(
    client: aiohttp.ClientSession, headers: Any = None, path: str = LAMP, method: str = "GET"
) -> tuple[int, Any]:
    """Ask for a thing; return status and headers."""
    async with client.request(method, path, headers=headers) as answer:
        return answer.status, answer.headers


async def changed(
    client: aiohttp.ClientSession, body: Any, headers: Any = None, method: str = "PATCH"
) -> tuple[int, Any, Any]:
    """Change a thing; return status, body and headers."""
    async with client.request(method, LAMP, json=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None), answer.headers


async def test_a_tag_changes_with_the_version_and_with_what_is_shown(
    client: aiohttp.ClientSession,
) -> None:
    _, whole = await got(client)
    _, again = await got(client)
    _, part = await got(client, path=f"{LAMP}?fields=id")
    _, told, after = await changed(client, {"name": "Candle"})

    assert whole["ETag"] == again["ETag"]
    assert whole["ETag"].startswith('"7-')
    assert part["ETag"].startswith('"7-')
    assert len({whole["ETag"], part["ETag"], after["ETag"]}) == 3
    assert (told["data"]["name"], after["ETag"]) == ("Candle", (await got(client))[1]["ETag"])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("known", "status"),
    [
        ("{}", 304), ("W/{}", 304), ('"a", {}', 304), ('"a",W/{} , "b"', 304), ("*", 304),
        ('"7-00000000"', 200), ("7", 200), ("", 200), ('"', 200), ("{}x", 200), ("w/{}", 200),
        ("\u00e4", 200), ('""', 200), ("," * 500, 200),
    ],
)  # fmt: skip
async def test_what_is_known_is_not_sent_again(
    client: aiohttp.ClientSession, known: str, status: int, method: str
) -> None:
    _, headers = await got(client)
    sent = {"If-None-Match": known.replace("{}", headers["ETag"])}

    found, told = await got(client, sent, method=method)

    assert found == status
    assert told["ETag"] == headers["ETag"]
    assert told["Cache-Control"] == headers["Cache-Control"]
    if status == 304:
        assert "Content-Type" not in told
        assert told.get("Content-Length", "0") == "0"


async def test_one_of_several_headers_is_enough(client: aiohttp.ClientSession) -> None:
    tag = (await got(client))[1]["ETag"]

    assert (await got(client, [("If-None-Match", '"a"'), ("If-None-Match", tag)]))[0] == 304
    headers = [("If-Match", '"a"'), ("If-Match", tag)]
    assert (await changed(client, {"name": "Candle"}, headers))[0] == 200


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize(
    ("expected", "status"),
    [
        ("{}", 200), ('"a", {}', 200), ("*", 200), ('"7-00000000"', 200), ("W/{}", 412),
        ('"6-00000000"', 412), ('"8-00000000"', 412), ("7", 412), ('"7"', 412), ("", 412),
        ("{}x", 412), ("\u00e4", 412), ('"77-00000000"', 412), ("," * 500, 412),
        ('"' + "7" * 30 + '-00000000"', 412), ('"\u0667-00000000"', 412),
    ],
)  # fmt: skip
async def test_only_what_was_seen_is_changed(
    client: aiohttp.ClientSession, expected: str, status: int, method: str
) -> None:
    tag = (await got(client))[1]["ETag"]
    sent = {"If-Match": expected.replace("{}", tag)}

    found, told, headers = await changed(client, {"name": "Candle"}, sent, method)

    assert found == status
    if status == 412:
        assert told["error"]["code"] == "PRECONDITION_FAILED"
        assert "Read it again" in told["error"]["message"]
        assert (await got(client))[1]["ETag"] == tag
    else:
        assert headers["ETag"] != tag


async def test_a_reader_may_insist_too(client: aiohttp.ClientSession) -> None:
    tag = (await got(client))[1]["ETag"]

    assert (await got(client, {"If-Match": tag}))[0] == 200
    assert (await got(client, {"If-Match": "*"}))[0] == 200
    for other in ('"7-00000000"', f"W/{tag}"):
        async with client.get(LAMP, headers={"If-Match": other}) as answer:
            told = (await answer.json())["error"]
        assert (answer.status, told["code"]) == (412, "PRECONDITION_FAILED")
        assert "without If-Match" in told["message"]
        assert "repeat yours" not in told["message"]


@pytest.mark.parametrize("method", ["get", "put", "patch"])
def test_the_document_tells_of_preconditions(method: str) -> None:
    operation = described({})["paths"][f"{THINGS}/{{id}}"][method]

    assert "If-Match" in {item["name"] for item in operation["parameters"]}
    assert operation["responses"]["412"]["description"] == "PRECONDITION_FAILED"


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize(
    ("known", "status"),
    [
        ("*", 412), ("{}", 412), ("W/{}", 412), ('"a", {}', 412), ('"7-00000000"', 412),
        ('"6-00000000"', 200), ('"8-00000000"', 200), ("7", 200), ("", 200), ("{}x", 200),
        ("w/{}", 200), ("," * 500, 200),
    ],
)  # fmt: skip
async def test_what_if_none_match_names_is_not_changed(
    client: aiohttp.ClientSession, known: str, status: int, method: str
) -> None:
    tag = (await got(client))[1]["ETag"]
    sent = {"If-None-Match": known.replace("{}", tag)}

    found, told, _ = await changed(client, {"name": "Candle"}, sent, method)

    assert found == status
    if status == 412:
        assert told["error"]["code"] == "PRECONDITION_FAILED"
        assert "If-None-Match" in told["error"]["message"]
        assert (await got(client))[1]["ETag"] == tag


async def test_both_conditions_must_hold(client: aiohttp.ClientSession) -> None:
    tag = (await got(client))[1]["ETag"]
    for wrong in ({"If-Match": tag, "If-None-Match": tag}, {"If-Match": "*", "If-None-Match": "*"}):
        assert (await changed(client, {"name": "Candle"}, wrong))[0] == 412
    right = {"If-Match": tag, "If-None-Match": '"6-00000000"'}
    assert (await changed(client, {"name": "Candle"}, right))[0] == 200


async def test_what_if_none_match_names_is_not_deleted(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await person(api, owner, BuiltInRole.ADMIN)
    for path, new in (("/content", {"title": "Notes"}), ("/teams", {"name": "Engines"})):
        _, made = await call(api, boss, "POST", path, new)
        one = f"{path}/{made['data']['id']}"

        refused, told = await call(api, boss, "DELETE", one, If_None_Match="*")

        assert (refused, told["error"]["code"]) == (412, "PRECONDITION_FAILED")
        assert (await call(api, boss, "GET", one))[0] == 200
        assert (await call(api, boss, "DELETE", one))[0] == 200
        # What is not there is not found, whatever was expected of it.
        assert (await call(api, boss, "DELETE", one, If_None_Match="*"))[0] == 404


async def test_what_is_wrong_with_the_change_is_told_before_it_is_stale(
    client: aiohttp.ClientSession,
) -> None:
    status, told, _ = await changed(client, {"nothing": 1}, {"If-Match": '"1-00000000"'})

    assert (status, told["error"]["code"]) == (400, "VALIDATION_ERROR")


async def test_the_strict_profile_changes_nothing_unseen(
    make_settings: MakeSettings, clean: None
) -> None:
    settings = make_settings(security_profile="strict")
    opened = open_parts(settings, name="test", cost=CHEAP)
    async with opened as parts, standing(parts) as client:
        tag = (await got(client))[1]["ETag"]
        for method in ("PATCH", "PUT"):
            status, told, _ = await changed(client, {"name": "Candle"}, method=method)
            assert (status, told["error"]["code"]) == (428, "PRECONDITION_REQUIRED")
        assert (await got(client))[1]["ETag"] == tag
        assert (await changed(client, {"name": "Candle"}, {"If-Match": tag}))[0] == 200
        assert (await changed(client, {"name": "Candle"}, {"If-Match": "*"}))[0] == 200


@pytest.mark.parametrize("kind", [MERGE, "application/json", f"{MERGE}; charset=utf-8"])
async def test_a_patch_changes_what_it_names(client: aiohttp.ClientSession, kind: str) -> None:
    status, told, _ = await changed(client, {"note": "Another"}, {"Content-Type": kind})

    assert (status, told["data"]) == (200, {"id": "1", "name": "Lamp", "note": "Another"})


async def test_null_removes_what_may_be_empty_and_nothing_else(
    client: aiohttp.ClientSession,
) -> None:
    _, removed, _ = await changed(client, {"note": None})
    status, told, _ = await changed(client, {"name": None})
    put, replaced, _ = await changed(client, {"name": None}, method="PUT")

    assert removed["data"]["note"] is None
    assert (status, put) == (400, 400)
    assert told["error"]["details"] == [
        {"field": "name", "message": "This cannot be removed: leave it out to keep what it is."}
    ]
    assert "send a value" in replaced["error"]["details"][0]["message"]
    assert (await changed(client, {}))[1]["data"]["name"] == "Lamp"
