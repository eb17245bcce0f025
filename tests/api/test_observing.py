"""What is written down of requests and statements: counted, slow ones told, nothing given away."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from api.app import make_app
from api.parts import Parts
from ops.logging import bound, set_up
from ops.metrics import Metrics
from ops.stack import Addresses
from storage.database import Database
from storage.roles.repository import LOCK_ADMINS
from tests.api.lines import settled
from tests.conftest import MakeSettings, Serve
from tests.factories import OPS_TOKEN, bearer, new_user, register
from tests.people import admin

KEY = LOCK_ADMINS.partition("(")[2].partition(")")[0]
PRODUCTION = {
    "environment": "production",
    "public_url": "https://auth.example.com",
    "smtp_url": "smtp://127.0.0.1:1",
}

Lines = list[dict[str, Any]]


@asynccontextmanager
async def written(make_settings: MakeSettings, **changes: str) -> AsyncIterator[Lines]:
    """Write logs into memory; give the lines when it is over."""
    await settled()
    output, lines = io.StringIO(), Lines()
    set_up(make_settings(log_format="json", **changes), process="test", output=output)
    yield lines
    await settled()
    set_up(make_settings(), process="test")
    lines += [json.loads(line) for line in output.getvalue().splitlines()]


def named(event: str, lines: Lines) -> Lines:
    return [line for line in lines if line["event"] == event]


async def test_a_slow_request_is_told_with_its_id_and_a_quick_one_is_not(
    serve: Serve, make_settings: MakeSettings
) -> None:
    slow, usual = await serve(slow_request_ms="1"), await serve()

    async with written(make_settings) as lines:
        async with slow.post("/api/v1/auth/register", json=new_user()) as answer:
            request_id = answer.headers["X-Request-Id"]
        await register(usual)

    (told,) = named("slow request", lines)
    assert (told["method"], told["route"]) == ("POST", "/api/v1/auth/register")
    assert told["request_id"] == request_id
    assert told["milliseconds"] >= 1
    assert (told["level"], told["category"]) == ("warning", "application")
    assert len(named("request", lines)) == 2


async def test_no_request_is_slow_where_none_shall_be_and_no_stream_is(
    serve: Serve, make_settings: MakeSettings, owner: Any
) -> None:
    never, api = await serve(slow_request_ms="0"), await serve(slow_request_ms="1")
    boss = await admin(api, owner)

    async with written(make_settings) as lines:
        await register(never)
        async with api.get("/api/v1/audit/export?format=jsonl", headers=bearer(boss)) as answer:
            assert answer.status == 200
            await answer.read()

    assert named("slow request", lines) == []


async def test_slow_requests_are_counted(
    parts: Parts, clean: None, make_settings: MakeSettings, aiohttp_client: Callable[..., Any]
) -> None:
    counted = {}

    for patience in ("1", "60000", "0"):
        metrics = Metrics()
        own = replace(parts, metrics=metrics, settings=make_settings(slow_request_ms=patience))
        client = await aiohttp_client(await make_app(own))
        for _ in range(2):
            await client.post("/api/v1/auth/register", json=new_user())
        counted[patience] = metrics.registry.get_sample_value("ostiary_slow_requests_total")

    assert counted == {"1": 2, "60000": 0, "0": 0}


@pytest.mark.parametrize(("patience", "told"), [(30, 1), (0, 0), (60_000, 0)])
async def test_a_slow_statement_is_told_by_its_name_and_never_with_its_values(
    make_settings: MakeSettings, addresses: Addresses, owner: Any, patience: int, told: int
) -> None:
    settings, metrics = make_settings(), Metrics()
    database = await Database.open(
        str(addresses.database_url),
        keys=settings.keyring,
        metrics=metrics,
        name="test",
        slow_query_ms=patience,
    )
    await owner.execute(f"SELECT pg_advisory_lock({KEY})")

    async with written(make_settings) as lines:
        with bound(request_id="req_1"):
            waiting = asyncio.create_task(_locked(database))
        await asyncio.sleep(0.1)
        await owner.execute(f"SELECT pg_advisory_unlock({KEY})")
        await waiting
    await database.close()

    assert [line["operation"] for line in named("slow query", lines)] == [
        "roles.lock_admins"
    ] * told
    for line in named("slow query", lines):
        assert line["milliseconds"] >= 50
        assert line["request_id"] == "req_1"
        known = {"time", "level", "category", "process", "event", "request_id"}
        assert set(line) == known | {"operation", "milliseconds"}
    assert metrics.registry.get_sample_value("ostiary_slow_queries_total") == told


async def _locked(database: Database) -> None:
    async with database.transaction() as storage:
        await storage.roles.lock_admins()


async def test_an_access_line_says_who_asked_what_and_holds_no_query(
    api: aiohttp.ClientSession, make_settings: MakeSettings
) -> None:
    who = await register(api)

    async with written(make_settings) as lines:
        path = "/api/v1/auth/me?email=canary%40example.com"
        async with api.get(path, headers=bearer(who) | {"X-Request-Id": "mine-1"}):
            pass
        async with api.get("/api/v1/canary%40example.com"):
            pass

    first, second = named("request", lines)
    assert first["user"] == who["user"]["id"]
    assert first["request_id"] == "mine-1"
    assert (first["path"], first["route"]) == ("/api/v1/auth/me", "/api/v1/auth/me")
    assert (first["status"], first["category"]) == (200, "access")
    assert (second["status"], second["route"]) == (404, "unmatched")
    assert "canary" not in json.dumps(lines)


async def test_requests_are_active_while_they_are_answered_and_no_longer(
    api: aiohttp.ClientSession, parts: Parts
) -> None:
    asking = [asyncio.create_task(register(api)) for _ in range(3)]
    seen = 0.0
    while not all(task.done() for task in asking):
        if not seen:
            seen = _active(parts)
        await asyncio.sleep(0.001)

    assert seen >= 1
    assert _active(parts) == 0


def _active(parts: Parts) -> float:
    [family] = parts.metrics.requests_active.collect()
    return family.samples[0].value


async def test_production_serves_no_metrics_where_people_come(
    serve: Serve, make_settings: MakeSettings
) -> None:
    api = await serve(**PRODUCTION)

    for path in ("/metrics", "/ops/metrics", "/api/v1/metrics", "/ops/prometheus/metrics"):
        async with api.get(path, headers={"Authorization": f"Bearer {OPS_TOKEN}"}) as answer:
            assert answer.status == 404, path
    async with api.get("/ops/prometheus/targets") as answer:
        assert answer.status == 401
    assert make_settings(**PRODUCTION).metrics_host == "127.0.0.1"


async def test_the_clocks_own_figures_are_those_of_the_database(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    await admin(api, owner)
    await register(api)

    async with parts.database.reading() as storage:
        administrators = await storage.roles.administrators()
        size = await storage.statistics.database_bytes()

    assert administrators == 1
    assert size == await owner.fetchval("SELECT pg_database_size(current_database())")


async def test_answers_are_counted_and_told_by_what_they_were_the_last_one_too(
    parts: Parts, clean: None, make_settings: MakeSettings, aiohttp_client: Callable[..., Any]
) -> None:
    metrics = Metrics()
    client = await aiohttp_client(await make_app(replace(parts, metrics=metrics)))

    async with written(make_settings) as lines:
        for method in ("GET", "GET", "PROPFIND"):
            await client.request(method, "/api/v1/auth/me")
        await client.close()
        counted = _by_method(metrics, "http_server_requests_total")
        timed = _by_method(metrics, "http_server_request_duration_seconds_count")

    told = [(line["method"], line["status"]) for line in named("request", lines)]
    assert told == [("GET", 401), ("GET", 401), ("OTHER", 405)]
    assert counted == timed == {"GET": 2, "OTHER": 1}


def _by_method(metrics: Metrics, name: str) -> dict[str, float]:
    found = [sample for family in metrics.registry.collect() for sample in family.samples]
    return {
        sample.labels["http_request_method"]: sample.value
        for sample in found
        if sample.name == name
    }
