"""Error reports: what is unexpected arrives with its request id, and nobody's data with it."""

import asyncio
import io
import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ops.error_reports.budget import Budget
from ops.logging import set_up
from ops.version import VERSION
from tests.conftest import MakeSettings
from tests.factories import PASSWORD, bearer, free_port, new_user, register
from tests.nursery import Forking
from tests.ops.collector import Collector, collecting
from tests.ops.stacks import ROOT
from tests.own_database import OwnDatabase, own_database
from tests.workers.processes import Running, Start, eventually, starting
from tests.workers.trying import Try, raising, runner
from workers.outcomes import RefusedForNow
from workers.toolbox import Tools

_PEOPLE = {"email": "canary@acme.example", "firstName": "Kanarienvogel", "lastName": "Gelbschnabel"}
# Whoever inserts such a row gets an exception that repeats all of it.
_PLANT = "ALTER TABLE users ADD CONSTRAINT planted CHECK (first_name <> 'Kanarienvogel') NOT VALID"
_UNPLANT = "ALTER TABLE users DROP CONSTRAINT planted"


@pytest.fixture(scope="module")
async def collector() -> AsyncIterator[Collector]:
    async with collecting(Collector()) as running:
        yield running


@pytest.fixture(scope="module")
async def room(
    home: Path, make_settings: MakeSettings, migrated: None
) -> AsyncIterator[OwnDatabase]:
    """Give a database of this module's own, to be damaged."""
    async with own_database(home, make_settings, "sentry") as made:
        yield made


@pytest.fixture(scope="module")
def start(
    environ: dict[str, str], room: OwnDatabase, collector: Collector, forking: Forking
) -> Iterator[Start]:
    urls = {name.upper(): url for name, url in room.urls.items()}
    settings = {
        "SENTRY_DSN": collector.dsn,
        "WEB_PROCESSES": "1",
        "RATE_LIMIT_ANONYMOUS": "off",
        "ENVIRONMENT": "test",
    }
    with starting(environ | urls | settings, forking) as start_process:
        yield start_process


@pytest.fixture(scope="module")
async def web(start: Start) -> AsyncIterator[aiohttp.ClientSession]:
    port = str(free_port())
    await start("api", ready="answering", PORT=port)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        yield client


async def came(collector: Collector, **tags: str) -> dict[str, Any]:
    """Wait for an event with these tags."""

    def found() -> list[dict[str, Any]]:
        return [event for event in collector.events if event["tags"].items() >= tags.items()]

    async def is_there() -> bool:
        return bool(found())

    await eventually(is_there, 20)
    return found()[0]


async def test_an_internal_error_arrives_with_its_request_id_and_without_people(
    web: aiohttp.ClientSession, collector: Collector, room: OwnDatabase
) -> None:
    signed_in = await register(web)
    await room.owner.execute(_PLANT)
    try:
        async with web.post(
            "/api/v1/auth/register?note=canaryquery",
            json=new_user(**_PEOPLE),
            headers=bearer(signed_in) | {"Cookie": "theme=canarycookie"},
        ) as answer:
            assert answer.status == 500
    finally:
        await room.owner.execute(_UNPLANT)
    event = await came(collector, request_id=answer.headers["X-Request-Id"])

    assert event["transaction"] == "/api/v1/auth/register"
    assert event["release"] == f"ostiary@{VERSION}"
    assert event["environment"] == "test"
    assert event["server_name"] == "web-1"
    error = event["exception"]["values"][-1]
    assert error["type"] == "CheckViolationError"
    assert error["value"] == ('new row for relation "users" violates check constraint "planted"')
    frames = error["stacktrace"]["frames"]
    assert any(frame["function"] == "register" for frame in frames)
    assert "api/auth/handlers.py" in {frame["filename"] for frame in frames}
    raw = collector.raw.lower()
    for secret in (
        "canary@", "acme.example", "kanarien", "gelbschnabel", PASSWORD, "canaryquery",
        "canarycookie", signed_in["accessToken"], signed_in["refreshToken"], "argon2id",
        '"vars"', '"request"', '"user"', '"breadcrumbs"', '"modules"', '"abs_path"',
    ):  # fmt: skip
        assert secret.lower().encode() not in raw, secret


async def test_problems_are_nobodys_business(
    web: aiohttp.ClientSession, collector: Collector
) -> None:
    def reports() -> int:
        return sum(event["server_name"] == "web-1" for event in collector.events)

    before = reports()
    for path, status in (("/api/v1/auth/me", 401), ("/api/v1/nothing", 404)):
        async with web.get(path) as answer:
            assert answer.status == status
    async with web.post("/api/v1/auth/login", json={"email": "x"}) as answer:
        assert answer.status == 400

    await asyncio.sleep(0.3)
    assert reports() == before


async def test_a_job_that_fails_unexpectedly_arrives_with_its_ids(
    web: aiohttp.ClientSession, collector: Collector, room: OwnDatabase, start: Start
) -> None:
    worker = await start("workers", "--queues", "emails", ready="working")
    relay = await start("workers.relay", ready="relaying")
    await room.owner.execute("ALTER TABLE letters ADD CONSTRAINT planted CHECK (false) NOT VALID")
    try:
        async with web.post("/api/v1/auth/register", json=new_user(**_PEOPLE)) as answer:
            assert answer.status == 201
        event = await came(collector, request_id=answer.headers["X-Request-Id"])
    finally:
        await room.owner.execute("ALTER TABLE letters DROP CONSTRAINT planted")
        for process in (relay, worker):
            await asyncio.to_thread(process.stop)

    assert event["server_name"] == "emails"
    assert event["transaction"] == event["tags"]["job"] == "emails.welcome"
    assert event["tags"]["job_id"] == str(
        await room.owner.fetchval(
            "SELECT id FROM outbox WHERE request_id = $1", answer.headers["X-Request-Id"]
        )
    )
    assert event["exception"]["values"][-1]["type"] == "CheckViolationError"
    assert b"acme.example" not in collector.raw


@pytest.mark.parametrize(
    "doomed",
    [("workers.relay", "relaying", "outbox"), ("workers.clock", "ticking", "clock_tasks")],
)
async def test_what_ends_a_relay_or_a_clock_is_told_before_it_ends(
    start: Start, collector: Collector, room: OwnDatabase, doomed: tuple[str, str, str]
) -> None:
    module, ready, table = doomed
    name = module.rpartition(".")[2]
    process: Running = await start(module, ready=ready, OSTIARY_PROCESS=f"{name}-doomed")
    await room.owner.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
    try:

        async def gone() -> bool:
            return process.gone

        await eventually(gone, 20)
    finally:
        await room.owner.execute(f"ALTER TABLE elsewhere RENAME TO {table}")

    assert process.process.returncode == 1
    events = [event for event in collector.events if event["server_name"] == f"{name}-doomed"]
    assert events
    assert not events[-1]["exception"]["values"][-1]["mechanism"]["handled"]


@pytest.mark.parametrize(
    ("error", "is_ours"),
    [(ValueError("a mistake"), [True]), (RefusedForNow("451 later"), [False])],
)
async def test_only_failures_of_our_own_are_told_as_exceptions(
    tools: Tools, error: Exception, is_ours: list[bool]
) -> None:
    said = io.StringIO()
    set_up(tools.settings, process="told", output=said)
    async with tools.database.transaction() as storage:
        promise_id = await storage.outbox.put(Try(1))
    await runner(tools, raising(error)).run(promise_id)
    set_up(tools.settings, process="test")

    lines = [json.loads(line) for line in said.getvalue().splitlines()]
    failed = [line for line in lines if line["event"] == "job failed, will be tried again"]
    assert ["exception" in line for line in failed] == is_ours
    assert str(error) in failed[0]["reason"]


_LOGGING = """
from ops.error_reports import report_errors
from ops.errors import Unavailable
from ops.logging import get_logger, set_up
from ops.settings import load
settings = load(strict=False)
set_up(settings, process="logging")
report_errors(settings, process="logging")
log = get_logger()
def tell(error, logger=None):
    try:
        raise error
    except Exception:
        log.exception("told", logger=logger, request_id="req_1")
tell(Unavailable("a Problem"))
tell(ValueError("of a sender"), logger="opentelemetry.exporter")
log.error("of a command", exc_info=LookupError("told"), request_id="command-canary-0a1b2c3d")
log.error("no exception")
log.warning("one that is handed over", exc_info=LookupError("handed over"))
for number in range(70):
    tell(ValueError(f"number {number}"))
"""


async def test_lines_with_an_exception_are_told_unless_it_is_a_problem_and_not_too_many(
    collector: Collector, tmp_path: Path
) -> None:
    environ = {"SENTRY_DSN": collector.dsn, "PYTHONPATH": str(ROOT), "LOG_FORMAT": "json"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _LOGGING, env=environ, cwd=tmp_path, stdout=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 0

    told = [event for event in collector.events if event["server_name"] == "logging"]
    values = [event["exception"]["values"][-1]["value"] for event in told]
    assert values == ["told", "handed over", *(f"number {number}" for number in range(58))]
    assert told[0]["tags"] == {"event": "of a command"}
    assert told[-1]["tags"] == {"event": "told", "request_id": "req_1"}
    assert b"canary" not in collector.raw


def test_a_storm_of_errors_is_no_storm_of_reports() -> None:
    budget = Budget(most=3)

    assert [budget.take() for _ in range(5)] == [True, True, True, False, False]
