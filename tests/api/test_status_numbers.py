"""The numbers of the status page: what processes counted, over restarts, gaps and accidents."""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from api.parts import Parts
from api.status.catalogue import GROUPS
from api.status.exposition import METRICS
from api.status.findings import RUNBOOKS
from ops.metrics import Listener, Metrics
from ops.stack import Stack
from storage.jobs import queues
from storage.processes import Work, beat
from storage.status import HISTORY_SECONDS, MAX_SAMPLES, keep
from tests.conftest import Serve
from tests.ops.stacks import open_room
from tests.people import Person, admin, call

ROOT = Path(__file__).parents[2]
RING = "ostiary:status:1"


class House:
    """Processes that measure whatever a test says they do."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.listeners: list[Listener] = []

    async def start(self, name: str) -> Metrics:
        """Announce a process that serves its metrics; one of the same name is replaced."""
        metrics = Metrics()
        listener = metrics.listen("127.0.0.1", 0)
        self.listeners.append(listener)
        key = f"{name}@host1/1"
        await self._parts.redis.announce(key, f"127.0.0.1:{listener.port}", seconds=60)
        served = sorted(queues()) if name == "work.1" else ()
        await beat(self._parts.redis, key, Work(queues=served))
        return metrics

    async def whole(self) -> dict[str, Metrics]:
        """Start one process of each kind that is needed."""
        found = {name: await self.start(f"{name}.1") for name in ("web", "relay", "clock", "work")}
        found["clock"].queue_depth.labels("emails", "pending").set(0)
        return found

    async def pass_turn(self) -> None:
        """Let the next look measure again, as if five seconds had gone by."""
        await asyncio.sleep(0.1)
        await self._parts.redis._client.delete(f"{RING}:turn")


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


async def told_to(api: aiohttp.ClientSession, who: Person) -> Any:
    """Look at the numbers."""
    status, body = await call(api, who, "GET", "/admin/status")
    assert status == 200, body
    return body["data"]


def figure(told: Any, name: str) -> Any:
    """Return a figure by its name."""
    return next(figure for figure in told["figures"] if figure["name"] == name)


def now(told: Any, name: str) -> dict[str, float | None]:
    """Return the newest value of each line of a figure."""
    return {line["label"]: line["now"] for line in figure(told, name)["lines"]}


def seconds(told: Any) -> float:
    """Return how much time the samples span."""
    first, last = (datetime.fromisoformat(told["times"][at]) for at in (0, -1))
    return (last - first).total_seconds()


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
    assert len(told["times"]) == 2
    for item in told["figures"]:
        assert {len(line["values"]) for line in item["lines"]} == {2}


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


async def test_without_a_clock_its_gauges_are_unknown_and_not_well(
    api: aiohttp.ClientSession, boss: Person, house: House
) -> None:
    await house.start("web.1")

    told = await told_to(api, boss)

    for name in ("outbox", "sealLag", "oldestJob"):
        assert now(told, name) == {"age": None}
        assert figure(told, name)["verdict"] == "unknown"


async def test_all_web_processes_draw_the_same_and_measure_once_between_them(
    serve: Serve, owner: Any, house: House
) -> None:
    one, two = await serve(), await serve()
    boss = await admin(one, owner)
    await house.whole()

    at_once = await asyncio.gather(*(told_to(api, boss) for api in (one, two) * 5))
    then = [await told_to(api, boss) for api in (one, two)]

    assert max(len(told["times"]) for told in at_once) == 1
    assert then[0]["times"] == then[1]["times"]
    assert len(then[0]["times"]) == 1
    assert then[0]["processes"] == then[1]["processes"]


async def test_what_is_kept_is_bounded_and_goes_by_itself(
    api: aiohttp.ClientSession, boss: Person, parts: Parts, house: House
) -> None:
    for number in range(MAX_SAMPLES + 50):
        sample = {"at": float(number), "span": 5.0, "counts": {}, "gauges": {}}
        await keep(parts.redis, snapshot={"at": 0.0, "processes": {}, "served": []}, sample=sample)
    client = parts.redis._client

    told = await told_to(api, boss)

    assert await client.llen(RING) == MAX_SAMPLES
    for key in (RING, f"{RING}:snapshot"):
        assert 0 < await client.ttl(key) <= HISTORY_SECONDS
    assert 0 < await client.pttl(f"{RING}:turn") <= 4_500
    assert len(told["times"]) == 1  # the others are of 1970


async def test_while_redis_is_away_the_last_numbers_stand_with_their_age(
    serve: Serve, owner: Any
) -> None:
    with open_room() as folder:
        stack = Stack(folder / "home", postgres=False)
        api = await serve(redis_url=str(stack.start().redis_url))
        boss = await admin(api, owner)
        first = await told_to(api, boss)
        stack.stop()

        told = await told_to(api, boss)

    assert told["redis"] == "away"
    assert told["verdict"] == "act"
    assert told["findings"][0]["text"].startswith("Redis does not answer")
    assert told["times"] == first["times"]
    assert told["ageSeconds"] > first["ageSeconds"]


def test_every_metric_that_is_drawn_exists_under_the_labels_it_is_drawn_by() -> None:
    known = {sample.name for family in Metrics().registry.collect() for sample in family.samples}
    families = {family.name for family in Metrics().registry.collect()}

    for name in METRICS:
        stem = name.removesuffix("_total").removesuffix("_bucket")
        assert name in known or stem in families, name


def test_every_limit_names_a_runbook_that_is_there() -> None:
    limits = [plan.limit for plans in GROUPS.values() for plan in plans if plan.limit]

    assert len(limits) > 10
    for name in {limit.runbook for limit in limits} | RUNBOOKS:
        assert (ROOT / "docs" / "runbooks" / f"{name}.md").is_file(), name
    for limit in limits:
        assert limit.act is None or limit.act > limit.look
