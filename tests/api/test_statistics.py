"""Statistics over HTTP: what people did through the front door is counted, day by day."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from storage.jobs import CountStatistics
from tests.factories import PASSWORD, bearer, free_port, register
from tests.people import Person, admin, call
from tests.workers.processes import starting
from workers.maintenance import count_statistics
from workers.toolbox import Tools

STATS = "/admin/stats"


async def count(tools: Tools) -> None:
    """Do the job."""
    promise: Any = None  # it asks nothing of its promise
    await count_statistics(CountStatistics(), promise, tools)


async def sign_in(api: aiohttp.ClientSession, who: Person, password: str = PASSWORD) -> int:
    body = {"email": who["user"]["email"], "password": password}
    async with api.post("/api/v1/auth/login", json=body) as answer:
        return answer.status


async def told_of(api: aiohttp.ClientSession, who: Person, query: str = "") -> Any:
    status, told = await call(api, who, "GET", STATS + query)
    assert status == 200, told
    return told["data"]


async def test_what_people_did_today_is_counted_exactly_and_once_however_often_it_is_counted(
    api: aiohttp.ClientSession, owner: Any, tools: Tools
) -> None:
    boss = await admin(api, owner)
    people = [await register(api) for _ in range(3)]
    for who in people[:2]:
        assert await sign_in(api, who) == 200
    assert await sign_in(api, people[0], "Wrong-Horse-9") == 401
    await owner.execute("UPDATE users SET is_active = false WHERE id = $1", people[2]["user"]["id"])

    await count(tools)
    first = await told_of(api, boss)
    await count(tools)
    async with tools.database.transaction() as storage:
        assert await storage.ledger.seal(limit=1_000)
    await count(tools)

    told = await told_of(api, boss)
    assert told["days"] == first["days"]
    day = told["days"][-1]
    assert day["day"] == datetime.now(UTC).date().isoformat()
    assert (day["signUps"], day["sessionsOpened"], day["usersCreated"]) == (4, 6, 0)
    assert day["signIns"] == {"succeeded": 2, "failed": 1}
    assert day["activeUsers"] == {"daily": 4, "weekly": 4, "monthly": 4}
    assert day["users"] == {"verified": 1, "unverified": 2, "suspended": 1, "deleted": 0}
    assert day["letters"] == dict.fromkeys(day["letters"], 0)
    assert day["deadJobs"] == 0


async def test_now_is_of_this_moment(api: aiohttp.ClientSession, owner: Any) -> None:
    boss = await admin(api, owner)
    await register(api)

    now = (await told_of(api, boss))["now"]

    assert now["users"] == {"verified": 1, "unverified": 1, "suspended": 0, "deleted": 0}
    assert now["sessions"] == 2
    emails = next(queue for queue in now["queues"] if queue["queue"] == "emails")
    assert emails == {"queue": "emails", "pending": 2, "handedOver": 0, "dead": 0}


async def test_before_the_first_count_there_are_no_days(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    assert (await told_of(api, await admin(api, owner)))["days"] == []


async def test_days_are_those_asked_for_and_thirty_unless_said(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)
    await owner.execute(
        "INSERT INTO statistics (day, name, value)"
        " SELECT date_trunc('day', now(), 'UTC') - n * interval '1 day', 'sign_ups', n"
        " FROM generate_series(0, 500) AS n"
    )
    today = datetime.now(UTC).date()
    first, last = today - timedelta(days=10), today - timedelta(days=8)

    usual = (await told_of(api, boss))["days"]
    some = (await told_of(api, boss, f"?from={first}&to={last}"))["days"]
    until = (await told_of(api, boss, f"?to={last}"))["days"]
    most = (await told_of(api, boss, f"?from={today - timedelta(days=399)}"))["days"]

    assert [day["signUps"] for day in usual] == list(range(29, -1, -1))
    assert [day["day"] for day in some] == [str(first + timedelta(days=n)) for n in range(3)]
    assert (len(until), until[-1]["signUps"]) == (30, 8)
    assert len(most) == 400
    assert some[0]["activeUsers"] == {"daily": None, "weekly": None, "monthly": None}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?from=2026-01-02&to=2026-01-01", "from"),
        ("?from=2025-01-01&to=2026-02-05", "from"),
        ("?from=2026-02-30", "from"),
        ("?from=20260101", "from"),
        ("?from=", "from"),
        ("?to=0001-01-02", "to"),
        ("?to=2026-01-01&to=2026-01-02", "to"),
        ("?until=2026-01-01", "until"),
    ],
)
async def test_a_wrong_span_is_refused_naming_what_is_wrong(
    api: aiohttp.ClientSession, owner: Any, query: str, field: str
) -> None:
    status, told = await call(api, await admin(api, owner), "GET", STATS + query)

    assert (status, told["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert [detail["field"] for detail in told["error"]["details"]] == [field]


async def test_bare_bytes_that_are_no_text_are_told_in_text_where_the_parser_takes_them(
    owner: Any, environ: dict[str, str], clean: None
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    plain = {"PORT": str(port), "WEB_PROCESSES": "1", "AIOHTTP_NO_EXTENSIONS": "1"}
    with starting(environ) as start:
        await start("api", ready="answering", **plain)
        async with aiohttp.ClientSession(url, cookie_jar=aiohttp.DummyCookieJar()) as client:
            token = bearer(await admin(client, owner))["Authorization"]
        parameter = await _raw(port, b"/api/v1/admin/stats?" + b"\xff" * 200 + b"=1", token)
        page = await _raw(port, b"/reset-password?token=\xed\xa0\x80", token)

    assert parameter.split()[1] == b"400", parameter
    assert b'"field":"' + b"?" * 100 + b'"' in parameter
    assert page.split()[1] == b"200", page


async def _raw(port: int, target: bytes, authorization: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"Host: x\r\nAuthorization: {authorization}\r\nConnection: close\r\n\r\n"
    writer.write(b"GET " + target + b" HTTP/1.1\r\n" + head.encode())
    answer = await reader.read()
    writer.close()
    return answer
