"""The audit trail over HTTP: searched, read, verified; and every look at it is written down."""

import hashlib
import json
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from ops.ids import new_id
from tests.conftest import Serve
from tests.factories import bearer
from tests.people import Person, admin, call, id_of, person
from tests.storage.trail import note, seal
from workers.toolbox import Tools

_NOTED = "SELECT action, facts, subject_id FROM audit_inbox ORDER BY id"
ENTRY = {
    "id", "sequence", "action", "actor", "actorKind", "subject", "time", "address", "requestId",
    "outcome", "facts", "sealed",
}  # fmt: skip


@pytest.fixture
async def boss(api: aiohttp.ClientSession, owner: Any) -> Person:
    """Register an administrator, and forget that they did."""
    who = await admin(api, owner)
    await owner.execute("DELETE FROM audit_inbox")
    return who


async def searched(api: aiohttp.ClientSession, who: Person, query: str = "") -> Any:
    """Search; return the body of the answer."""
    status, body = await call(api, who, "GET", f"/audit?{query}")
    assert status == 200, body
    return body


async def test_what_somebody_did_is_found_with_where_from_and_under_which_request(
    api: aiohttp.ClientSession, boss: Person, owner: Any
) -> None:
    ada = await person(api, owner)
    await call(api, boss, "POST", f"/users/{id_of(ada)}/suspend", X_Request_Id="try-1")

    told = await searched(api, boss, f"filter[subject]={id_of(ada)}&filter[action]=user.suspended")

    (event,) = told["data"]
    assert set(event) == ENTRY
    assert event["actor"] == id_of(boss)
    assert event["subject"] == id_of(ada)
    assert (event["actorKind"], event["outcome"]) == ("user", "success")
    assert (event["address"], event["requestId"]) == ("127.0.0.1", "try-1")
    assert (event["sealed"], event["sequence"]) == (False, None)
    assert event["time"].endswith("Z")
    assert told["pagination"]["total"] == 1


async def test_every_look_is_an_event_and_tells_no_values(
    api: aiohttp.ClientSession, boss: Person, owner: Any, tools: Tools
) -> None:
    await note(tools.database, "user.created", subject=new_id())
    event = (await searched(api, boss, "filter[address]=203.0.113.9&dateFrom=2020-01-01"))["data"]

    await call(api, boss, "GET", f"/audit/{event[0]['id']}")
    await call(api, boss, "GET", "/audit/export?filter[sealed]=true&filter[actorKind]=user")
    await call(api, boss, "GET", "/audit/verify")
    await call(api, boss, "GET", f"/audit/{new_id()}")

    rows = {row["action"]: json.loads(row["facts"]) for row in await owner.fetch(_NOTED)}
    assert rows["audit.searched"] == {"count": 1, "filters": "address,time"}
    assert rows["audit.read"] == {"event": event[0]["id"]}
    assert rows["audit.export_begun"] == {"format": "jsonl", "filters": "actorKind,sealed"}
    assert rows["audit.exported"] == rows["audit.export_begun"] | {"count": 0}
    assert rows["audit.verified"] == {"valid": True, "checked": 0}
    assert "203.0.113.9" not in str(rows)


@pytest.mark.parametrize(
    "query",
    [
        "filter[subject]=1", "filter[actor]=me", "filter[action]=x", "filter[action]=",
        "filter[action]=user.created'--", "filter[action]=%25", "filter[action]=a.b,",
        "filter[action]=" + ",".join(["a.b"] * 21), "filter[outcome]=ok", "filter[address]=1.2.3",
        "filter[address]=10.0.0.0/8", "filter[address]=' OR 1=1", "filter[requestId]=",
        "filter[requestId]=" + "x" * 129, "filter[actorKind]=admin", "filter[sealed]=1",
        "limit=1e9", "limit=1000000000", "sort=sequence", "search=x", "cursor=forged",
        "dateFrom=yesterday", "fields=hash", "filter[facts]=x", "format=csv",
    ],
)  # fmt: skip
async def test_what_cannot_be_asked_is_named(
    api: aiohttp.ClientSession, boss: Person, query: str
) -> None:
    status, told = await call(api, boss, "GET", f"/audit?{quote(query, safe='=&[]%')}")

    assert (status, told["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert [item["field"] for item in told["error"]["details"]] == [query.partition("=")[0]]


@pytest.mark.parametrize(
    "query",
    [
        "page=1", "limit=5", "cursor=", "fields=id", "sort=time", "order=asc", "format=xml",
        "format=", "filter[action]=x", "format=csv&format=jsonl",
    ],
)  # fmt: skip
async def test_an_export_names_what_it_cannot_be_asked(
    api: aiohttp.ClientSession, boss: Person, query: str
) -> None:
    status, told = await call(api, boss, "GET", f"/audit/export?{query}")

    assert (status, told["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert [item["field"] for item in told["error"]["details"]] == [query.partition("=")[0]]


async def test_text_of_sql_is_merely_not_found(
    api: aiohttp.ClientSession, boss: Person, owner: Any
) -> None:
    evil = quote("'; DELETE FROM audit_inbox; --")

    told = await searched(api, boss, f"filter[requestId]={evil}")

    assert told["data"] == []
    assert await owner.fetchval("SELECT count(*) FROM audit_inbox") == 1


async def test_a_cursor_goes_on_with_its_own_search_only(
    api: aiohttp.ClientSession, boss: Person, tools: Tools
) -> None:
    await note(tools.database, *["user.created"] * 5)
    first = await searched(api, boss, "cursor=&limit=2&filter[action]=user.*")
    cursor = first["pagination"]["nextCursor"]

    second = await searched(api, boss, f"cursor={cursor}&limit=2&filter[action]=user.*")
    status, _ = await call(api, boss, "GET", f"/audit?cursor={cursor}&limit=2")
    forged, _ = await call(
        api, boss, "GET", f"/audit?cursor={cursor[:-4]}AAAA&limit=2&filter[action]=user.*"
    )

    ids = [event["id"] for event in first["data"] + second["data"]]
    assert ids == sorted(set(ids), reverse=True)
    assert (len(ids), status, forged) == (4, 400, 400)


async def test_one_event_carries_what_it_takes_to_hash_it_again(
    api: aiohttp.ClientSession, boss: Person, tools: Tools
) -> None:
    await note(tools.database, "user.created", subject=new_id(), count=3)
    (event,) = (await searched(api, boss, "filter[action]=user.*"))["data"]
    status, waiting = await call(api, boss, "GET", f"/audit/{event['id']}")
    await seal(tools.database)

    status, told = await call(api, boss, "GET", f"/audit/{event['id']}")

    chain, canonical = told["data"]["chain"], told["data"]["chain"]["canonical"]
    salted = bytes.fromhex(chain["salt"]) + b'{"address":"203.0.113.9"}'
    assert (status, waiting["data"]["chain"]) == (200, None)
    assert hashlib.sha256(canonical.encode()).hexdigest() == chain["hash"]
    assert hashlib.sha256(salted).hexdigest() == chain["personal"]
    assert json.loads(canonical)["previous"] == chain["previous"]
    assert json.loads(canonical)["id"] == told["data"]["id"]
    assert told["data"]["sealed"] is True


async def test_one_event_has_an_etag_that_sealing_and_erasing_change(
    api: aiohttp.ClientSession, boss: Person, tools: Tools, owner: Any
) -> None:
    await note(tools.database, "user.created")
    (event,) = (await searched(api, boss, "filter[action]=user.*"))["data"]
    async with api.get(f"/api/v1/audit/{event['id']}", headers=bearer(boss)) as answer:
        tag = answer.headers["ETag"]

    before, _ = await call(api, boss, "GET", f"/audit/{event['id']}", If_None_Match=tag)
    await seal(tools.database)
    async with api.get(
        f"/api/v1/audit/{event['id']}", headers=bearer(boss) | {"If-None-Match": tag}
    ) as answer:
        after, tag = answer.status, answer.headers["ETag"]
    await owner.execute("DELETE FROM audit_personal")
    async with api.get(
        f"/api/v1/audit/{event['id']}", headers=bearer(boss) | {"If-None-Match": tag}
    ) as answer:
        erased, newest = answer.status, answer.headers["ETag"]
        told = await answer.json()

    assert (before, after, erased) == (304, 200, 200)
    assert told["data"]["address"] is None
    assert (tag[:3], newest[:3]) == ('"2-', '"3-')


@pytest.mark.parametrize("event_id", ["01935b5c-6d1e-7a3b-8c4d-5e6f708192a3", "x", "'--", "0"])
async def test_an_event_that_is_not_there_is_not_found(
    api: aiohttp.ClientSession, boss: Person, event_id: str
) -> None:
    status, _ = await call(api, boss, "GET", f"/audit/{event_id}")

    assert status == 404


async def test_nobody_else_sees_that_there_is_a_trail(
    serve: Serve, owner: Any, tools: Tools
) -> None:
    api = await serve()
    await note(tools.database, "user.created")
    ada = await person(api, owner)
    paths = ("/audit", "/audit/export", "/audit/verify", f"/audit/{new_id()}")

    answers = [(await call(api, who, "GET", path))[0] for who in (None, ada) for path in paths]

    assert answers == [401] * 4 + [403] * 4
    denied = "SELECT count(*) FROM audit_inbox WHERE action = 'access.denied'"
    assert await owner.fetchval(denied) == 4
