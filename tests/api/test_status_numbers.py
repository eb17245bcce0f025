"""The numbers of the status page: what processes counted, over restarts, gaps and accidents."""

import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from api.parts import Parts
from storage.jobs import queues
from tests.api.houses import House, figure, now, seconds, told_to
from tests.people import Person, admin


@pytest.fixture
def house(parts: Parts, clean: None) -> Iterator[House]:
    """Give a house without processes."""
    house = House(parts)
    yield house
    for listener in house.listeners:
        listener.close()


@pytest.fixture
async def boss(api: aiohttp.ClientSession, owner: Any) -> Person:
    """Register an administrator."""
    return await admin(api, owner)


async def test_before_there_is_a_process_it_says_who_is_missing(
    api: aiohttp.ClientSession, boss: Person, house: House
) -> None:
    told = await told_to(api, boss)

    assert told["verdict"] == "act"
    texts = " ".join(finding["text"] for finding in told["findings"])
    for kind in ("web", "relay", "clock"):
        assert f"No {kind} process runs" in texts
    assert f"Nobody works on the jobs of {', '.join(sorted(queues()))}." in texts
    assert told["processes"] == []


async def test_a_house_in_order_has_no_findings(
    api: aiohttp.ClientSession, boss: Person, house: House
) -> None:
    await house.whole()
    await told_to(api, boss)
    await house.pass_turn()

    told = await told_to(api, boss)

    assert told["findings"] == []
    assert (told["verdict"], told["redis"]) == ("ok", "ok")
    assert [process["name"] for process in told["processes"]] == [
        "clock.1", "relay.1", "web.1", "work.1",
    ]  # fmt: skip
    for process in told["processes"]:
        assert process["up"]
        assert process["host"] == "host1"
        assert process["memoryBytes"] > 1_000_000
        assert process["cpu"] >= 0
        assert process["startedAt"]
    assert 0 <= told["ageSeconds"] < 5
    assert len(told["times"]) >= 2
    for item in told["figures"]:
        assert {len(line["values"]) for line in item["lines"]} == {len(told["times"])}


async def test_what_happened_between_two_looks_is_summed_over_all_processes(
    api: aiohttp.ClientSession, boss: Person, house: House
) -> None:
    web, work = await house.start("web.1"), await house.start("work.1")
    other = await house.start("web.2")
    for metrics in (web, other):
        metrics.requests.labels("GET", "/api/v1/users/{id}", "200").inc(1_000)
    first = await told_to(api, boss)

    for metrics in (web, other):
        metrics.requests.labels("GET", "/api/v1/users/{id}", "200").inc(30)
        metrics.requests.labels("GET", "/health/ready", "503").inc(500)
        metrics.requests.labels("GET", "/ops/status", "200").inc(500)
    web.logins.labels("password", "success").inc(7)
    other.logins.labels("password", "deactivated").inc(2)
    work.jobs.labels("emails", "emails.welcome", "done").inc(5)
    work.jobs.labels("emails", "emails.welcome", "waiting").inc(3)
    work.letters.labels("welcome", "handed_over").inc(4)
    await house.pass_turn()
    told = await told_to(api, boss)

    assert now(first, "requests") == {"requests": None}
    assert told["times"][0] == first["times"][0]
    minutes = seconds(told) / 60
    assert now(told, "requests")["requests"] * minutes * 60 == pytest.approx(60, rel=0.02)
    signed_in = {name: rate * minutes for name, rate in now(told, "signIns").items()}
    assert signed_in == pytest.approx({"succeeded": 7, "failed": 0, "refused": 2}, rel=0.02)
    jobs = {name: rate * minutes for name, rate in now(told, "jobs").items()}
    assert jobs == pytest.approx(
        {"done": 5, "tried again": 0, "given up": 0, "put back": 3}, rel=0.02
    )
    assert now(told, "letters")["handed over"] * minutes == pytest.approx(4, rel=0.02)


async def test_a_process_that_was_started_anew_counts_from_zero_and_takes_nothing_away(
    api: aiohttp.ClientSession, boss: Person, house: House
) -> None:
    old = await house.start("web.1")
    old.requests.labels("GET", "/", "200").inc(1_000)
    await told_to(api, boss)

    new = await house.start("web.1")
    new.requests.labels("GET", "/", "200").inc(20)
    await house.pass_turn()
    told = await told_to(api, boss)

    happened = now(told, "requests")["requests"] * seconds(told)
    assert happened == pytest.approx(20, rel=0.02)


async def test_what_a_process_did_before_anybody_looked_did_not_happen_now(
    api: aiohttp.ClientSession, boss: Person, house: House
) -> None:
    await house.start("web.1")
    await told_to(api, boss)

    late = await house.start("web.2")  # as old as this test's process: it ran before
    late.requests.labels("GET", "/", "200").inc(1_000)
    await house.pass_turn()
    told = await told_to(api, boss)

    assert now(told, "requests")["requests"] == 0


async def test_a_process_that_does_not_answer_is_named_and_what_it_counted_comes_later(
    api: aiohttp.ClientSession, boss: Person, house: House
) -> None:
    processes = await house.whole()
    await told_to(api, boss)
    house.listeners[0].close()  # that of web.1
    processes["web"].requests.labels("GET", "/", "200").inc(10)
    await house.pass_turn()

    away = await told_to(api, boss)
    listener = processes["web"].listen("127.0.0.1", house.listeners[0].port)
    house.listeners[0] = listener
    await house.pass_turn()
    back = await told_to(api, boss)

    text = "web.1 on host1 does not answer."
    assert {"verdict": "act", "text": text, "runbook": "TargetDown"} in away["findings"]
    assert [process["up"] for process in away["processes"]] == [True, True, False, True]
    assert now(away, "requests")["requests"] == 0
    assert back["findings"] == []
    assert now(back, "requests")["requests"] * seconds(back) == pytest.approx(10, rel=0.02)


async def test_a_quantile_is_that_of_prometheus(
    api: aiohttp.ClientSession, boss: Person, house: House
) -> None:
    web = await house.start("web.1")
    await told_to(api, boss)

    for route, value, times in (("/a", 0.02, 90), ("/b", 0.2, 8), ("/c", 0.4, 2)):
        for _ in range(times):
            web.request_seconds.labels("GET", route).observe(value)
    web.request_seconds.labels("GET", "/health").observe(4)
    await house.pass_turn()
    told = await told_to(api, boss)

    # The 95th of 100 is the fifth of the eight between 0.1 and 0.25; the 50th is between 0.01 and
    # 0.025.
    expected = {"p95": 0.1 + 0.15 * 5 / 8, "p50": 0.01 + 0.015 * 50 / 90}
    assert now(told, "latency") == pytest.approx(expected, abs=0.0001)


async def test_whatever_is_over_its_limit_is_told_with_its_runbook(
    api: aiohttp.ClientSession, boss: Person, house: House
) -> None:
    processes = await house.whole()
    web, clock, work = processes["web"], processes["clock"], processes["work"]
    await told_to(api, boss)

    web.requests.labels("GET", "/", "200").inc(90)
    web.requests.labels("GET", "/", "500").inc(10)
    web.logins.labels("password", "failure").inc(500)
    web.redis_errors.inc(500)
    work.jobs.labels("emails", "emails.welcome", "dead").inc(3)
    work.letters.labels("welcome", "failed").inc(3)
    clock.queue_depth.labels("emails", "dead").set(3)
    clock.queue_oldest.labels("emails").set(90)
    clock.outbox_oldest.set(70)
    clock.audit_seal_lag.set(70)
    work.audit_verified.set_to_current_time()
    work.audit_valid.set(0)
    await house.pass_turn()
    told = await told_to(api, boss)

    found = {(item["verdict"], item["runbook"]) for item in told["findings"]}
    assert found == {
        ("act", "AuditChainBroken"),
        ("act", figure(told, "errors")["runbook"]),
        ("look", "CredentialStuffing"),
        ("act", "RedisErrors"),
        ("act", figure(told, "jobs")["runbook"]),
        ("act", figure(told, "letters")["runbook"]),
        ("look", figure(told, "queues")["runbook"]),
        ("look", "QueueOldestOld"),
        ("act", "OutboxStalled"),
        ("act", "AuditLagHigh"),
    }
    assert told["findings"][0]["verdict"] == "act"
    assert told["findings"][-1]["verdict"] == "look"
    texts = [item["text"] for item in told["findings"]]
    assert "Server errors: 10 %." in texts
    assert "Oldest job: 90 s." in texts


async def test_what_was_put_back_or_withheld_hides_no_failures(
    api: aiohttp.ClientSession, boss: Person, house: House
) -> None:
    processes = await house.whole()
    work = processes["work"]
    await told_to(api, boss)

    for outcome, times in (("done", 4), ("retried", 1), ("dead", 1), ("waiting", 1_000)):
        work.jobs.labels("emails", "emails.welcome", outcome).inc(times)
    for outcome, times in (("handed_over", 4), ("failed", 2), ("withheld", 1_000)):
        work.letters.labels("welcome", outcome).inc(times)
    await house.pass_turn()
    told = await told_to(api, boss)

    assert {finding["text"] for finding in told["findings"]} == {
        "Jobs, tried again or given up: 33.3 %.",
        "Letters, lost: 33.3 %.",
    }


async def test_the_last_verification_is_that_of_a_worker_or_what_the_clock_remembers(
    api: aiohttp.ClientSession, boss: Person, house: House
) -> None:
    processes = await house.whole()
    clock, work = processes["clock"], processes["work"]
    before = now(await told_to(api, boss), "verified")

    clock.clock_success.labels("audit.verify").set(time.time() - 7_200)
    clock.clock_success.labels("audit.seal").set(time.time() - 5)
    await house.pass_turn()
    remembered = now(await told_to(api, boss), "verified")
    work.audit_verified.set(time.time() - 60)
    await house.pass_turn()
    seen = now(await told_to(api, boss), "verified")

    assert before == {"age": None}
    assert remembered["age"] == pytest.approx(7_200, abs=10)
    assert seen["age"] == pytest.approx(60, abs=10)


async def test_without_a_clock_its_gauges_are_unknown_and_not_well(
    api: aiohttp.ClientSession, boss: Person, house: House
) -> None:
    await house.start("web.1")

    told = await told_to(api, boss)

    for name in ("outbox", "sealLag", "oldestJob"):
        assert now(told, name) == {"age": None}
        assert figure(told, name)["verdict"] == "unknown"
