"""Health and where Prometheus finds us."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from api.app import make_app
from api.parts import Parts
from ops.stack import Stack
from tests.api.jobs import job_in
from tests.conftest import MakeSettings, Serve
from tests.factories import OPS_TOKEN, PASSWORD, new_user, register
from tests.furniture import furnished
from tests.ops.stacks import FAST, open_room

_FORGET_NEWEST = """
WITH gone AS (
    DELETE FROM schema_migrations
    WHERE version = (SELECT max(version) FROM schema_migrations) RETURNING *
)
SELECT to_jsonb(gone)::text FROM gone
"""
_REMEMBER = """
INSERT INTO schema_migrations
SELECT * FROM jsonb_populate_record(NULL::schema_migrations, $1::text::jsonb)
"""


async def readiness(api: aiohttp.ClientSession) -> tuple[int, str, dict[str, str]]:
    """Return the status, what it says, and what was seen of what is not well."""
    async with api.get("/health/ready") as answer:
        told = (await answer.json())["data"]
    wrong = {check["name"]: check["seen"] for check in told["checks"] if not check["ok"]}
    return answer.status, told["status"], wrong


async def test_every_path_of_the_documents_tells_that_we_live(api: aiohttp.ClientSession) -> None:
    for path in ("/health", "/api/health", "/api/v1/health"):
        async with api.get(path) as answer:
            assert (await answer.json())["data"] == {"status": "ok"}


async def test_ready_names_everything_with_its_latency(api: aiohttp.ClientSession) -> None:
    async with api.get("/health/ready") as answer:
        told = (await answer.json())["data"]

    assert answer.status == 200
    assert told["status"] == "ok"
    names = {check["name"] for check in told["checks"]}
    assert names == {"postgresql", "redis", "migrations", "outbox"}
    assert all(check["milliseconds"] >= 0 for check in told["checks"])


async def test_a_promise_that_waits_for_more_than_a_minute_asks_whether_the_relay_runs(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    await job_in(parts, owner, "pending")
    found = []

    for seconds in (20, 61):
        waits = "UPDATE outbox SET available_at = now() - make_interval(secs => $1)"
        await owner.execute(waits, seconds)
        found.append(await readiness(api))

    assert found[0] == (200, "ok", {})
    assert found[1][:2] == (200, "degraded")
    assert found[1][2]["outbox"].endswith("is the relay running?")


async def test_before_the_database_is_migrated_nobody_is_sent_here(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    newest = await owner.fetchval(_FORGET_NEWEST)
    try:
        status, said, wrong = await readiness(api)
    finally:
        await owner.execute(_REMEMBER, newest)

    assert (status, said, list(wrong)) == (503, "unavailable", ["migrations"])
    assert "python -m storage migrate" in wrong["migrations"]
    assert await readiness(api) == (200, "ok", {})


async def test_without_redis_people_are_served_and_ready_says_what_is_wrong(
    serve: Serve, make_settings: MakeSettings
) -> None:
    with open_room() as folder:
        stack = Stack(folder / "home", postgres=False)
        api = await serve(redis_url=str(stack.start().redis_url))
        stack.stop()

        await register(api, email="ada@example.com")
        credentials = {"email": "ada@example.com", "password": PASSWORD}
        async with api.post("/api/v1/auth/login", json=credentials) as answer:
            assert answer.status == 200
        async with api.get("/health/ready") as answer:
            told = (await answer.json())["data"]

    assert answer.status == 200
    assert told["status"] == "degraded"
    assert [check["name"] for check in told["checks"] if not check["ok"]] == ["redis"]


async def test_without_postgresql_the_answer_is_503_within_two_seconds_and_later_200(
    serve: Serve, furniture: Path
) -> None:
    with open_room() as folder:
        stack = Stack(furnished(folder / "home", furniture), redis=False, settings=FAST)
        url = str(stack.start().migration_database_url)
        try:
            api = await serve(database_url=url)
            await register(api, email="ada@example.com")
            stack.stop()

            started = time.monotonic()
            async with api.post("/api/v1/auth/register", json=new_user()) as answer:
                told = await answer.json()
            assert time.monotonic() - started < 2
            assert (answer.status, told["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
            assert int(answer.headers["Retry-After"]) > 0
            async with api.get("/health/ready") as answer:
                assert answer.status == 503
                checks = (await answer.json())["data"]["checks"]
            assert "postgresql" in {check["name"] for check in checks if not check["ok"]}
            async with api.get("/health") as answer:
                assert answer.status == 200

            stack.start()
            await register(api)
            async with api.get("/health/ready") as answer:
                assert answer.status == 200
        finally:
            stack.stop()


async def test_health_is_never_limited(serve: Serve) -> None:
    api = await serve(rate_limit_anonymous="1/15m")

    for _ in range(5):
        async with api.get("/health") as answer:
            assert answer.status == 200


async def test_targets_are_for_holders_of_the_token_only(api: aiohttp.ClientSession) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": OPS_TOKEN}):
        async with api.get("/ops/prometheus/targets", headers=headers) as answer:
            assert answer.status == 401

    headers = {"Authorization": f"Bearer {OPS_TOKEN}"}
    async with api.get("/ops/prometheus/targets", headers=headers) as answer:
        assert await answer.json() == []


async def test_without_a_token_in_the_settings_nobody_gets_the_targets(serve: Serve) -> None:
    api = await serve(ops_token="")

    for headers in ({}, {"Authorization": "Bearer "}):
        async with api.get("/ops/prometheus/targets", headers=headers) as answer:
            assert answer.status == 401


async def test_the_application_answers_under_any_server_of_aiohttp(
    parts: Parts, clean: None, aiohttp_client: Callable[..., Any]
) -> None:
    client = await aiohttp_client(await make_app(parts))

    answer = await client.get("/health/ready")

    assert answer.status == 200
