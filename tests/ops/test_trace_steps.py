"""Steps of a trace: whose child each is, what it tells, and what it never says."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from api.parts import Parts
from ops.settings import TraceSampler
from ops.tracing import Kind
from storage.jobs import Job
from storage.outbox import Promise
from storage.tasks import TASKS
from tests.conftest import MakeSettings, Serve, _serving
from tests.factories import bearer, register
from tests.ops.memory import Memory, facts, header, parent
from tests.workers.conftest import Put
from tests.workers.trying import Try, raising, runner
from workers.broker import Broker
from workers.clock import Clock
from workers.relay import Relay
from workers.toolbox import Tools

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CALLER = f"00-{TRACE}-{SPAN}-01"
UNSAMPLED = f"00-{TRACE}-{SPAN}-00"


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
async def traced(parts: Parts, memory: Memory, clean: None) -> AsyncIterator[aiohttp.ClientSession]:
    """Give a client of a server that traces every request."""
    async with _serving(replace(parts, tracer=memory.tracer)) as url:
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(url, cookie_jar=jar) as client:
            yield client


@pytest.fixture
def put(tools: Tools) -> Put:
    """Promise a job in a transaction of its own."""

    async def putting(job: Job) -> UUID:
        async with tools.database.transaction() as storage:
            return await storage.outbox.put(job)

    return putting


@pytest.fixture
def watched(tools: Tools, memory: Memory) -> Tools:
    return replace(tools, tracer=memory.tracer)


async def test_a_request_goes_on_with_the_trace_of_its_caller(
    traced: aiohttp.ClientSession, memory: Memory
) -> None:
    signed_in = await register(traced)
    memory.forget()
    asked = f"/api/v1/users/{signed_in['user']['id']}?fields=id&note=canary"

    async with traced.get(asked, headers=bearer(signed_in) | {"traceparent": CALLER}) as answer:
        assert answer.status == 200

    (span,) = memory.steps
    assert parent(span) == CALLER
    assert span.parent is not None
    assert span.parent.is_remote
    assert (span.name, span.kind.name) == ("GET /api/v1/users/{id}", "SERVER")
    told = facts(span)
    assert told.pop("ostiary.request_id") == answer.headers["X-Request-Id"]
    assert told == {
        "http.request.method": "GET",
        "http.route": "/api/v1/users/{id}",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "server.address": "localhost",
        "server.port": 3000,
    }
    assert span.status.is_ok or span.status.is_unset


@pytest.mark.parametrize("given", [["nonsense"], [CALLER, CALLER], []])
async def test_a_request_without_one_good_traceparent_begins_a_trace(
    traced: aiohttp.ClientSession, memory: Memory, given: list[str]
) -> None:
    async with traced.get("/api/v1/nothing", headers=[("traceparent", each) for each in given]):
        pass

    span = memory.one("GET")
    assert parent(span) == ""
    assert "http.route" not in facts(span)
    assert facts(span)["http.response.status_code"] == 404


async def test_probes_are_not_traced(traced: aiohttp.ClientSession, memory: Memory) -> None:
    for path in ("/health", "/health/ready"):
        async with traced.get(path) as answer:
            assert answer.status == 200

    assert memory.all == []


async def test_a_promise_carries_the_step_that_made_it_and_statements_are_only_named(
    traced: aiohttp.ClientSession, memory: Memory, owner: Any
) -> None:
    await register(traced)

    request = memory.one("POST /api/v1/auth/register")
    create = memory.one("create emails.welcome")
    row = await owner.fetchrow("SELECT id, trace_parent FROM outbox")
    assert parent(create) == header(request)
    assert row["trace_parent"] == header(create)
    assert facts(create) == {
        "messaging.system": "ostiary",
        "messaging.operation.name": "create",
        "messaging.operation.type": "create",
        "messaging.destination.name": "emails",
        "messaging.message.id": str(row["id"]),
        "ostiary.job": "emails.welcome",
    }
    statements = [span for span in memory.all if "db.system.name" in facts(span)]
    assert "outbox.put" in {span.name for span in statements}
    for span in statements:
        assert facts(span) == {"db.system.name": "postgresql", "db.query.summary": span.name}
        assert parent(span) in {header(request), header(create)}


async def test_pages_of_other_origins_may_send_their_trace(serve: Serve) -> None:
    client = await serve(allowed_origins="https://app.example.com")
    asked = {
        "Origin": "https://app.example.com",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "traceparent",
    }

    async with client.options("/api/v1/auth/login", headers=asked) as answer:
        assert "traceparent" in answer.headers["Access-Control-Allow-Headers"].split(", ")


async def test_what_is_not_sampled_leaves_no_span_and_a_promise_without_a_trace(
    parts: Parts, clean: None, owner: Any
) -> None:
    memory = Memory(TraceSampler.RATIO, 0)
    async with (
        _serving(replace(parts, tracer=memory.tracer)) as url,
        aiohttp.ClientSession(url, headers={"traceparent": CALLER}) as client,
    ):
        await register(client)

    assert memory.all == []
    assert await owner.fetchval("SELECT count(*) FROM outbox WHERE trace_parent IS NULL") == 1


async def test_a_job_retried_goes_on_with_its_trace_and_is_linked_to_what_promised_it(
    watched: Tools,
    memory: Memory,
    put: Put,
    owner: Any,
) -> None:
    with memory.tracer.begin("promised", kind=Kind.SERVER, attributes={}) as span:  # type: ignore[union-attr]
        promise_id = await put(Try(1))
        trace = span.trace_id

    await runner(watched, raising(ValueError("ada@example.com"))).run(promise_id)
    await owner.execute("UPDATE outbox SET available_at = now()")
    await runner(watched, _do_nothing).run(promise_id)

    first, second = [each for each in memory.steps if each.name == "process emails.try"]
    create = memory.one("create emails.try")
    assert [parent(each) for each in (first, second)] == [header(create)] * 2
    assert [len(each.links) for each in (first, second)] == [0, 1]
    assert second.links[0].context.span_id == create.context.span_id
    assert {f"{each.context.trace_id:032x}" for each in memory.all} == {trace}
    assert [facts(each)["ostiary.attempt"] for each in (first, second)] == [1, 2]
    assert [facts(each)["ostiary.outcome"] for each in (first, second)] == ["retried", "done"]
    assert [each.status.status_code.name for each in (first, second)] == ["ERROR", "UNSET"]
    assert facts(first)["error.type"] == "retried"
    assert "outbox.settle" not in {each.name for each in memory.all}  # it is for many at once
    assert first.events == ()
    assert first.status.description is None


async def _do_nothing(_: Try, __: Promise, ___: Tools) -> None:
    pass


async def test_the_hand_over_is_a_step_of_the_trace_and_of_none_where_there_is_none(
    watched: Tools,
    memory: Memory,
    put: Put,
    make_settings: MakeSettings,
) -> None:
    broker = Broker(make_settings().redis_url)
    with memory.tracer.begin("promised", kind=Kind.SERVER, attributes={}):  # type: ignore[union-attr]
        await put(Try(1))
    await put(Try(2))
    memory.forget()

    handed = await Relay(watched, broker).relay_once()
    broker.close()

    assert handed == 2
    span = memory.one("send emails.try")
    assert span.kind.name == "PRODUCER"
    assert parent(span).startswith("00-")
    assert span.end_time is not None
    assert span.start_time is not None
    assert 0 < span.end_time - span.start_time < 5e9


async def test_a_periodic_job_begins_a_trace_only_where_it_was_promised(
    watched: Tools, memory: Memory, owner: Any
) -> None:
    await Clock(watched).promise_due()
    names = sorted(memory.names)
    await Clock(watched).promise_due()

    assert names == sorted(f"tick {task.name}" for task in TASKS)
    assert sorted(memory.names) == names
    carried = {row["trace_parent"] for row in await owner.fetch("SELECT trace_parent FROM outbox")}
    assert carried == {header(span) for span in memory.steps}


async def test_a_job_replayed_belongs_to_the_trace_of_who_replays_it(
    tools: Tools, memory: Memory, put: Put, owner: Any
) -> None:
    old = await put(Try(1))
    await owner.execute("UPDATE outbox SET state = 'done', finished_at = now()")

    with memory.tracer.begin("replay", kind=Kind.SERVER, attributes={}):  # type: ignore[union-attr]
        async with tools.database.transaction() as storage:
            new = await storage.backlog.replay(old)

    carried = "SELECT trace_parent FROM outbox WHERE id = $1"
    assert await owner.fetchval(carried, new) == header(memory.one("replay"))
    assert await owner.fetchval(carried, old) is None
