"""The list of jobs: every state, every filter, in both orders, by page and by cursor."""

from itertools import product
from typing import Any

import aiohttp
import pytest

from api.parts import Parts
from storage.jobs import NOBODY, SendReset
from tests.api.jobs import STATES, job_in, many_in
from tests.conftest import Serve
from tests.people import Person, admin, call


async def ids(api: aiohttp.ClientSession, who: Person, query: str) -> list[str]:
    """Return the ids of a list."""
    status, told = await call(api, who, "GET", f"/admin/jobs?{query}")
    assert status == 200, told
    return [item["id"] for item in told["data"]]


async def test_each_state_is_found_by_its_filter_in_either_order(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    boss = await admin(api, owner)
    await owner.execute("DELETE FROM outbox")
    made = {state: str(await job_in(parts, owner, state)) for state in STATES}

    for state, sort, order in product(STATES, ("createdAt", "at"), ("asc", "desc")):
        query = f"filter[state]={state}&sort={sort}&order={order}"
        assert await ids(api, boss, query) == [made[state]], query

    shown = {item["id"]: item for item in (await call(api, boss, "GET", "/admin/jobs"))[1]["data"]}
    assert {name: shown[job_id]["state"] for name, job_id in made.items()} == dict(
        zip(STATES, STATES, strict=True)
    )
    assert all("body" not in item for item in shown.values())


async def test_jobs_are_found_by_queue_name_request_and_error(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    boss = await admin(api, owner)
    await owner.execute("DELETE FROM outbox")
    dead = str(await job_in(parts, owner, "dead"))
    reset = str(await job_in(parts, owner, "pending", job=SendReset(NOBODY)))
    await owner.execute("UPDATE outbox SET request_id = 'r-1' WHERE id = $1", reset)

    assert await ids(api, boss, "filter[queue]=passwords") == [reset]
    assert await ids(api, boss, "filter[job]=emails.verification") == [dead]
    assert await ids(api, boss, "filter[requestId]=r-1") == [reset]
    assert await ids(api, boss, "filter[error]=NO SUCH") == [dead]
    assert await ids(api, boss, "filter[error]=%25") == []
    assert await ids(api, boss, "dateFrom=2020-01-01&dateTo=2020-01-02") == []
    assert await ids(api, boss, "dateFrom=2020-01-01&order=asc") == [dead, reset]


@pytest.mark.parametrize("sort", ["createdAt", "at"])
@pytest.mark.parametrize("query", ["", "&filter[state]=dead"])
async def test_a_cursor_walks_through_every_job_once(
    serve: Serve, owner: Any, sort: str, query: str
) -> None:
    api = await serve(rate_limit_authenticated="off", rate_limit_anonymous="off")
    boss = await admin(api, owner)
    await owner.execute("DELETE FROM outbox")
    await many_in(owner, "dead", 25)  # all of them ended at one moment
    seen, cursor = [], ""

    while cursor is not None:
        path = f"/admin/jobs?limit=10&sort={sort}{query}&cursor={cursor}"
        _, told = await call(api, boss, "GET", path)
        seen += [item["id"] for item in told["data"]]
        cursor = told["pagination"]["nextCursor"]

    assert len(seen) == len(set(seen)) == 25
    by_page = [
        job_id
        for page in (1, 2, 3)
        for job_id in await ids(api, boss, f"limit=10&sort={sort}{query}&page={page}")
    ]
    assert by_page == seen


async def test_an_unknown_state_names_those_there_are(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await admin(api, owner)

    status, told = await call(api, boss, "GET", "/admin/jobs?filter[state]=lost")

    assert status == 400
    assert "handed_over" in told["error"]["details"][0]["message"]
