"""What the status page keeps: one history for all web processes, bounded, gone without Redis."""

import asyncio
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from api.pages.render import Pages
from api.parts import Parts
from api.status.catalogue import GROUPS
from api.status.charts import WIDTH
from api.status.exposition import METRICS
from api.status.findings import RUNBOOKS
from api.status.pages import _page
from api.status.service import StatusService
from ops.metrics import Metrics
from ops.stack import Stack
from storage.status import HISTORY_SECONDS, MAX_POINTS, keep
from tests.api.houses import RING, House, told_once, told_to
from tests.conftest import Serve
from tests.ops.stacks import open_room
from tests.people import Person, admin

ROOT = Path(__file__).parents[2]


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


async def test_all_web_processes_draw_the_same_and_measure_once_between_them(
    serve: Serve, owner: Any, house: House
) -> None:
    one, two = await serve(), await serve()
    boss = await admin(one, owner)
    await house.whole()

    at_once = await asyncio.gather(*(told_once(api, boss) for api in (one, two) * 5))
    then = [await told_once(api, boss) for api in (one, two)]

    assert max(len(told["times"]) for told in at_once) == 1
    assert then[0]["times"] == then[1]["times"]
    assert len(then[0]["times"]) == 1
    assert then[0]["processes"] == then[1]["processes"]


async def test_what_is_kept_is_bounded_and_goes_by_itself(
    api: aiohttp.ClientSession, boss: Person, parts: Parts, house: House
) -> None:
    for number in range(MAX_POINTS + 50):
        await keep(parts.redis, latest=None, point={"at": float(number), "values": {}})
    client = parts.redis._client

    told = await told_to(api, boss)

    assert await client.llen(RING) == MAX_POINTS
    for key in (RING, f"{RING}:latest"):
        assert 0 < await client.ttl(key) <= HISTORY_SECONDS
    assert 0 < await client.pttl(f"{RING}:turn") <= 4_500
    assert {time[:4] for time in told["times"]} == {str(datetime.now(UTC).year)}  # none of 1970


@pytest.mark.parametrize("latest", [None, {}, [], {"minute": []}, {"minute": [{"new": 1}]}, "text"])
async def test_what_another_release_kept_in_another_form_is_passed_over(
    api: aiohttp.ClientSession, boss: Person, parts: Parts, house: House, latest: Any
) -> None:
    await house.whole()
    await keep(parts.redis, latest=latest, point={"at": time.time(), "counts": {}})

    told = await told_to(api, boss)

    assert told["times"]
    assert len(told["processes"]) == 4


async def test_while_redis_is_away_the_last_numbers_stand_with_their_age(
    serve: Serve, owner: Any
) -> None:
    with open_room() as folder:
        stack = Stack(folder / "home", postgres=False)
        api = await serve(redis_url=str(stack.start().redis_url))
        boss = await admin(api, owner)
        first = await told_to(api, boss)
        stack.stop()
        await asyncio.sleep(0.2)

        told = await told_once(api, boss)

    assert told["redis"] == "away"
    assert told["verdict"] == "act"
    assert told["findings"][0]["text"].startswith("Redis does not answer")
    assert told["times"] == first["times"]
    assert told["ageSeconds"] > first["ageSeconds"]


async def test_what_nobody_measured_for_half_a_minute_is_not_well(
    api: aiohttp.ClientSession, boss: Person, parts: Parts, house: House
) -> None:
    await in_order(api, boss, house)
    client = parts.redis._client
    latest = orjson.loads(await client.get(f"{RING}:latest") or "")
    latest["snapshot"]["at"] -= 40
    await client.set(f"{RING}:latest", orjson.dumps(latest))
    await client.set(f"{RING}:turn", 1)  # somebody has it, and does nothing

    told = await told_once(api, boss)

    assert told["verdict"] == "look"
    assert len(told["findings"]) == 1
    assert re.match(r"Measured 4\d(\.\d)? s ago: measuring fails", told["findings"][0]["text"])
    assert 40 <= told["ageSeconds"] < 60


async def test_what_was_grave_when_it_was_measured_last_still_comes_first(
    api: aiohttp.ClientSession, boss: Person, parts: Parts, house: House
) -> None:
    await told_to(api, boss)  # nobody is there
    client = parts.redis._client
    latest = orjson.loads(await client.get(f"{RING}:latest") or "")
    latest["snapshot"]["at"] -= 40
    await client.set(f"{RING}:latest", orjson.dumps(latest))
    await client.set(f"{RING}:turn", 1)

    told = await told_once(api, boss)

    verdicts = [finding["verdict"] for finding in told["findings"]]
    assert verdicts == ["act"] * (len(verdicts) - 1) + ["look"]


async def test_a_measurement_that_fails_is_told_at_once_beside_what_is_known(
    api: aiohttp.ClientSession, boss: Person, parts: Parts, house: House
) -> None:
    first = await in_order(api, boss, house)
    client = parts.redis._client
    latest = orjson.loads(await client.get(f"{RING}:latest") or "")
    for process in latest["snapshot"]["processes"].values():
        process["cpu"] = "much"  # another release's form, of which nothing can be taken away
    await client.set(f"{RING}:latest", orjson.dumps(latest))
    await house.pass_turn()

    told = await told_once(api, boss)

    assert told["verdict"] == "look"
    assert "measuring fails" in told["findings"][0]["text"]
    assert told["times"] == first["times"]


async def test_lines_end_where_redis_says_that_it_is_now(parts: Parts, house: House) -> None:
    await house.whole()
    status = await StatusService(redis=parts.redis).now()
    hour = timedelta(hours=1)  # that the clock of this host goes before
    times = [time - hour for time in status.times]
    slow = replace(status, now=status.now - hour, times=times)

    page = _page(Pages(product="Ostiary"), slow, {"form_token": "", "paused": True}).text

    assert page
    ends = [float(x) for x in re.findall(r'points="[^"]*?([\d.]+),[\d.]+"', page)]
    assert min(ends) > 0.9 * WIDTH


async def in_order(api: aiohttp.ClientSession, boss: Person, house: House) -> Any:
    """Start a house in which all is well, and look at it."""
    await house.whole()
    told = await told_to(api, boss)
    assert told["verdict"] == "ok"
    return told


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
