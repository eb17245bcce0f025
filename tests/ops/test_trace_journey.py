"""One trace through real processes, from request to letter, and no people in it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest

from ops.tracing import Kind, tracing
from tests.conftest import MakeSettings
from tests.factories import PASSWORD, free_port, new_user
from tests.nursery import Forking
from tests.ops.collector import Collector, Seen, collecting
from tests.workers.processes import Running, Start, eventually, starting
from tests.workers.smtp import Sink, listening

_CALLER = "203.0.113.77"
_TRACE, _SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
_PEOPLE = {"email": "canary@acme.example", "firstName": "Kanarienvogel", "lastName": "Gelbschnabel"}
_STEPS = {
    "POST /api/v1/auth/register",
    "create emails.welcome",
    "send emails.welcome",
    "process emails.welcome",
    "deliver welcome",
}


@pytest.fixture(scope="module")
async def collector() -> AsyncIterator[Collector]:
    async with collecting(Collector()) as running:
        yield running


@pytest.fixture(scope="module")
async def sink() -> AsyncIterator[Sink]:
    async with listening(Sink()) as running:
        yield running


@pytest.fixture(scope="module")
def start(environ: dict[str, str], migrated: None, forking: Forking) -> Iterator[Start]:
    with starting(environ, forking) as start_process:
        yield start_process


@pytest.fixture(scope="module")
async def processes(start: Start, sink: Sink, collector: Collector) -> dict[str, Running]:
    """Run the house as production does, sending its traces to the collector."""
    port = str(free_port())
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "X-Collector-Key=left%20and%20right",
        "OTEL_SERVICE_NAME": "front-door",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "TRUSTED_PROXIES": "127.0.0.1",
        "SMTP_URL": sink.url,
        "PORT": port,
        "WEB_PROCESSES": "1",
    }
    workers = await start("workers", "--queues", "emails", ready="working", **settings)
    relay = await start("workers.relay", ready="relaying", **settings)
    web = await start("api", ready="answering", **settings)
    return {"web": web, "relay": relay, "emails": workers}


@pytest.fixture(scope="module")
async def client(processes: dict[str, Running]) -> AsyncIterator[aiohttp.ClientSession]:
    (port,) = {event["port"] for event in processes["web"].events if event["event"] == "answering"}
    headers = {"X-Forwarded-For": _CALLER, "User-Agent": "Kanarienbrowser/1.0"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as opened:
        yield opened


async def steps(collector: Collector, trace: str) -> dict[str, Seen]:
    """Wait for all steps of a registration."""

    async def came() -> bool:
        return set(collector.of_trace(trace)) >= _STEPS

    await eventually(came, 20)
    return collector.of_trace(trace)


async def test_a_registration_is_one_trace_up_to_the_mail_server(
    client: aiohttp.ClientSession,
    collector: Collector,
    processes: dict[str, Running],
    sink: Sink,
    clean: None,
) -> None:
    traced = {"traceparent": f"00-{_TRACE}-{_SPAN}-01"}

    asked = "/api/v1/auth/register?note=canaryquery"
    async with client.post(asked, json=new_user(**_PEOPLE), headers=traced) as answer:
        body = await answer.json()
        assert answer.status == 201, body
    seen = await steps(collector, _TRACE)

    request, create, send, process, deliver = (seen[name] for name in (
        "POST /api/v1/auth/register", "create emails.welcome", "send emails.welcome",
        "process emails.welcome", "deliver welcome",
    ))  # fmt: skip
    assert set(seen) == _STEPS
    assert request.parent == _SPAN
    assert create.parent == request.id
    assert send.parent == process.parent == create.id
    assert deliver.parent == process.id
    assert [each.process for each in (request, create, send, process, deliver)] == [
        "web-1", "web-1", "relay", "emails", "emails",
    ]  # fmt: skip
    assert (deliver.facts["server.address"], deliver.facts["server.port"]) == (
        "127.0.0.1", sink.port,
    )  # fmt: skip
    assert process.facts["ostiary.outcome"] == "done"
    assert collector.headers["x-collector-key"] == "left and right"
    assert b"front-door" in collector.raw


async def test_lines_of_the_log_name_their_trace(
    client: aiohttp.ClientSession,
    collector: Collector,
    processes: dict[str, Running],
    clean: None,
) -> None:
    async with client.post("/api/v1/auth/register", json=new_user()) as answer:
        request_id = answer.headers["X-Request-Id"]

    def lines() -> list[dict[str, Any]]:
        return [line for line in processes["web"].events if line.get("request_id") == request_id]

    async def request_is_told() -> bool:
        return bool(lines())

    await eventually(request_is_told)
    (line,) = lines()
    seen = await steps(collector, line["trace_id"])
    assert seen["POST /api/v1/auth/register"].facts["ostiary.request_id"] == request_id

    async def job_is_told() -> bool:
        return any(
            event.get("trace_id") == line["trace_id"] for event in processes["emails"].events
        )

    await eventually(job_is_told)


async def test_nothing_of_people_is_sent(
    client: aiohttp.ClientSession, collector: Collector, clean: None, owner: Any
) -> None:
    person = new_user(**_PEOPLE)
    async with client.post("/api/v1/auth/register", json=person) as answer:
        signed_in = (await answer.json())["data"]
    before = len(collector.spans)
    bearer = {"Authorization": f"Bearer {signed_in['accessToken']}"}
    for path in ("/api/v1/auth/me", f"/api/v1/users/{signed_in['user']['id']}?note=canaryquery",
                 "/nowhere/canary@acme.example"):  # fmt: skip
        async with client.get(path, headers=bearer):
            pass
    wrong = {"email": _PEOPLE["email"], "password": "Canary-Horse-9"}
    async with client.post("/api/v1/auth/login", json=wrong) as answer:
        assert answer.status == 401

    async def came() -> bool:
        return any("auth/login" in span.name for span in collector.spans[before:])

    await eventually(came)
    raw = collector.raw.lower()
    for secret in (
        "canary", "kanarien", "gelbschnabel", "acme.example", PASSWORD, _CALLER,
        signed_in["accessToken"], signed_in["refreshToken"], signed_in["user"]["id"],
    ):  # fmt: skip
        assert secret.lower().encode() not in raw, secret


async def test_settings_reach_the_library_wherever_they_were_read(
    make_settings: MakeSettings, collector: Collector
) -> None:
    settings = make_settings(  # not the environment of this process, which the library reads
        otel_exporter_otlp_endpoint=f"{collector.url}/",
        otel_exporter_otlp_headers="X-From=settings,X-Also=100%25",
        otel_service_name="from-settings",
    )

    def send() -> None:
        with tracing(settings, process="alone") as tracer:
            span = tracer.begin("one", kind=Kind.SERVER, attributes={}) if tracer else None
            assert span
            span.end()

    await asyncio.to_thread(send)

    assert [span.name for span in collector.spans if span.process == "alone"] == ["one"]
    assert (collector.headers["x-from"], collector.headers["x-also"]) == ("settings", "100%")
    assert b"from-settings" in collector.raw


async def test_the_last_spans_leave_before_a_process_ends(
    start: Start, collector: Collector, clean: None
) -> None:
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "60000",
        "PORT": str(free_port()),
        "WEB_PROCESSES": "1",
    }
    web = await start("api", ready="answering", **settings)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{settings['PORT']}") as client:
        trace = f"{1:032x}"
        headers = {"traceparent": f"00-{trace}-{_SPAN}-01"}
        async with client.get("/.well-known/jwks.json", headers=headers) as answer:
            assert answer.status == 200
    assert trace not in {span.trace for span in collector.spans}

    assert await asyncio.to_thread(web.stop) == 0

    assert trace in {span.trace for span in collector.spans}


async def test_a_collector_that_is_away_is_told_of_once_and_harms_nothing(
    start: Start, clean: None
) -> None:
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "PORT": str(free_port()),
        "WEB_PROCESSES": "1",
    }
    web = await start("api", ready="answering", **settings)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{settings['PORT']}") as client:
        async with client.get("/.well-known/jwks.json") as answer:
            assert answer.status == 200
        await web.says("traces cannot be sent, and are dropped until they can")
        for _ in range(3):
            async with client.get("/.well-known/jwks.json") as answer:
                assert answer.status == 200

    assert await asyncio.to_thread(web.stop) == 0
    said = [event["event"] for event in web.events if event["event"].startswith("traces")]
    assert said == ["traces cannot be sent, and are dropped until they can"]
