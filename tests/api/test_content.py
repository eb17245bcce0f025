"""Content is created, read, changed, published and deleted as its page says."""

from typing import Any

import aiohttp
import pytest

from tests.api.pieces import events, team_of, write
from tests.conftest import Serve
from tests.factories import bearer
from tests.people import call, id_of, person

_SCRIPT = "<script>alert(1)</script>\n\t<img src=x onerror=alert(1)>"


async def test_a_title_is_enough_and_makes_a_draft_of_ones_own(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await person(api, owner)

    piece = await write(api, ada, title="  Notes ")

    assert piece | {"id": "", "createdAt": "", "updatedAt": ""} == {
        "id": "",
        "title": "Notes",
        "body": "",
        "status": "draft",
        "ownerId": id_of(ada),
        "teamId": None,
        "publishedAt": None,
        "version": 1,
        "createdAt": "",
        "updatedAt": "",
    }
    assert (await call(api, ada, "GET", f"/content/{piece['id']}"))[1]["data"] == piece
    assert await events(owner, piece, ada) == ["content.created"]


async def test_what_is_published_at_once_says_so(api: aiohttp.ClientSession, owner: Any) -> None:
    ada = await person(api, owner)

    piece = await write(api, ada, status="published")
    archived = await write(api, ada, status="archived")

    assert piece["publishedAt"] == piece["createdAt"]
    assert await events(owner, piece, ada) == ["content.created", "content.published"]
    assert await events(owner, archived, ada) == ["content.created", "content.archived"]


async def test_content_is_published_once_however_often_it_comes_and_goes(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await person(api, owner)
    piece = await write(api, ada)
    path = f"/content/{piece['id']}"

    seen = [
        (await call(api, ada, "PATCH", path, {"status": status}))[1]["data"]
        for status in ("published", "draft", "published", "archived")
    ]

    assert [item["status"] for item in seen] == ["published", "draft", "published", "archived"]
    assert [item["version"] for item in seen] == [2, 3, 4, 5]
    assert seen[0]["publishedAt"] > piece["createdAt"]
    assert {item["publishedAt"] for item in seen} == {seen[0]["publishedAt"]}
    assert await events(owner, piece, ada) == [
        "content.created",
        *("content.changed status", "content.published"),
        *("content.changed status", "content.unpublished"),
        *("content.changed status", "content.published"),
        *("content.changed status", "content.archived"),
    ]


async def test_put_replaces_all_and_what_it_leaves_out_begins_anew(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await person(api, owner)
    team = await team_of(owner, ada)
    path = f"/content/{(await write(api, ada, status='published'))['id']}"
    whole = {"title": "New", "body": "New", "status": "archived", "teamId": team}

    _, all_of_it = await call(api, ada, "PUT", path, whole)
    _, title_only = await call(api, ada, "PUT", path, {"title": "T"})
    refused, told = await call(api, ada, "PUT", path, {"body": "B"})

    assert all_of_it["data"].items() >= whole.items()
    left = {"title": "T", "body": "", "status": "draft", "teamId": None, "version": 3}
    assert title_only["data"].items() >= left.items()
    assert title_only["data"]["publishedAt"]
    assert (refused, told["error"]["details"][0]["field"]) == (400, "title")


async def test_a_patch_changes_only_what_it_names(api: aiohttp.ClientSession, owner: Any) -> None:
    ada = await person(api, owner)
    team = await team_of(owner, ada)
    piece = await write(api, ada, body="B", status="published", teamId=team)

    _, body = await call(api, ada, "PATCH", f"/content/{piece['id']}", {"title": "New"})

    changed = {"title": "New", "version": 2, "updatedAt": body["data"]["updatedAt"]}
    assert body["data"]["updatedAt"] > piece["updatedAt"]
    assert body["data"] == piece | changed
    assert await events(owner, piece, ada) == [
        "content.created",
        "content.published",
        "content.changed title",
    ]


async def test_a_patch_that_changes_nothing_leaves_no_trace(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await person(api, owner)
    piece = await write(api, ada)

    for same in ({}, {"title": piece["title"]}, {"status": "draft", "teamId": None}):
        assert (await call(api, ada, "PATCH", f"/content/{piece['id']}", same))[1]["data"] == piece

    assert await events(owner, piece, ada) == ["content.created"]


async def test_what_is_deleted_is_gone(api: aiohttp.ClientSession, owner: Any) -> None:
    ada = await person(api, owner)
    piece = await write(api, ada, status="published")
    path = f"/content/{piece['id']}"

    assert (await call(api, ada, "DELETE", path))[0] == 200

    for method in ("GET", "PATCH", "DELETE"):
        assert (await call(api, ada, method, path, {} if method == "PATCH" else None))[0] == 404
    assert (await events(owner, piece, ada))[-1] == "content.deleted"


async def test_a_stale_version_changes_and_deletes_nothing(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await person(api, owner)
    path = f"/content/{(await write(api, ada))['id']}"
    async with api.get(f"/api/v1{path}", headers=bearer(ada)) as answer:
        first = answer.headers["ETag"]

    fresh, _ = await call(api, ada, "PATCH", path, {"title": "B"}, If_Match=first)
    stale, _ = await call(api, ada, "PATCH", path, {"title": "C"}, If_Match=first)
    gone, _ = await call(api, ada, "DELETE", path, If_Match=first)

    assert (fresh, stale, gone) == (200, 412, 412)
    assert (await call(api, ada, "GET", path))[1]["data"]["title"] == "B"


async def test_what_one_has_is_not_sent_again(api: aiohttp.ClientSession, owner: Any) -> None:
    ada = await person(api, owner)
    path = f"/api/v1/content/{(await write(api, ada))['id']}"
    async with api.get(path, headers=bearer(ada)) as answer:
        etag = answer.headers["ETag"]

    async with api.get(path, headers=bearer(ada) | {"If-None-Match": etag}) as again:
        assert (again.status, await again.read()) == (304, b"")


async def test_a_strict_server_changes_nothing_without_a_version(serve: Serve, owner: Any) -> None:
    lax, strict = await serve(), await serve(security_profile="strict")
    ada = await person(lax, owner)
    path = f"/content/{(await write(lax, ada))['id']}"

    for method, body in (("PATCH", {"title": "B"}), ("DELETE", None)):
        assert (await call(strict, ada, method, path, body))[0] == 428

    assert (await call(lax, ada, "GET", path))[1]["data"]["version"] == 1


async def test_the_same_key_makes_one_piece(api: aiohttp.ClientSession, owner: Any) -> None:
    ada = await person(api, owner)
    new = {"title": "Once"}

    first = await call(api, ada, "POST", "/content", new, Idempotency_Key="k")
    again = await call(api, ada, "POST", "/content", new, Idempotency_Key="k")
    other = await call(api, ada, "POST", "/content", {"title": "Two"}, Idempotency_Key="k")

    assert (first[0], again[0], other[0]) == (201, 201, 422)
    assert first[1]["data"] == again[1]["data"]
    assert await owner.fetchval("SELECT count(*) FROM content") == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", " \t "),
        ("title", "x" * 201),
        ("title", "two\nlines"),
        ("title", "\u202eright to left"),
        ("title", None),
        ("title", 7),
        ("body", "x" * 100_001),
        ("body", "a bell \x07"),
        ("body", "\x1b[31mred"),
        ("body", "a return \r alone"),
        ("body", "\u202eright to left"),
        ("body", "isolated \u2066"),
        ("body", None),
        ("status", "secret"),
        ("status", None),
        ("teamId", "no id"),
        ("teamId", 7),
        ("ownerId", "01935b5c-6d1e-7a3b-8c4d-5e6f708192a3"),
        ("publishedAt", "2026-11-21T10:30:00Z"),
        ("version", 7),
        ("id", "01935b5c-6d1e-7a3b-8c4d-5e6f708192a3"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_written(
    api: aiohttp.ClientSession, owner: Any, field: str, value: Any
) -> None:
    ada = await person(api, owner)
    piece = await write(api, ada)

    answers = [
        await call(api, ada, "POST", "/content", {"title": "T", field: value}),
        await call(api, ada, "PATCH", f"/content/{piece['id']}", {field: value}),
    ]

    for status, body in answers:
        assert status == 400
        assert body["error"]["code"] == "VALIDATION_ERROR"
        assert [item["field"] for item in body["error"]["details"]] == [field]
    rows = await owner.fetch("SELECT version FROM content")
    assert [row["version"] for row in rows] == [1]


async def test_every_script_is_written_and_comes_back_as_it_was(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await person(api, owner)
    body = "  مرحبا\r\n\t👩\u200d💻 e\u0301  " + "x" * 1_000

    piece = await write(api, ada, title="Zażółć \\ % _ 👩", body=body)

    assert piece["title"] == "Zażółć \\ % _ 👩"
    assert piece["body"] == "  مرحبا\n\t👩\u200d💻 é  " + "x" * 1_000
    assert len((await write(api, ada, body="é" * 100_000))["body"]) == 100_000


async def test_a_script_comes_back_as_data_that_no_browser_runs(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada = await person(api, owner)
    piece = await write(api, ada, title="<b>T</b>", body=_SCRIPT, status="published")

    for path in (f"/content/{piece['id']}", "/content"):
        async with api.get(f"/api/v1{path}", headers=bearer(ada)) as answer:
            assert answer.content_type == "application/json"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            data = (await answer.json())["data"]

    assert data[0]["title"] == "<b>T</b>"
    assert (await call(api, ada, "GET", f"/content/{piece['id']}"))[1]["data"]["body"] == _SCRIPT


async def test_the_reference_says_what_new_content_begins_as_and_that_patches_leave_it(
    api: aiohttp.ClientSession,
) -> None:
    async with api.get("/api/docs/openapi.json") as answer:
        schemas = (await answer.json())["components"]["schemas"]

    assert schemas["NewContent"]["properties"]["status"]["default"] == "draft"
    patches = {name: found for name, found in schemas.items() if name.endswith("Patch")}
    assert "ContentChangesPatch" in patches
    for patch in patches.values():
        assert not any("default" in field for field in patch["properties"].values())
