"""Orders over many jobs at the API: what is counted, what is promised, what a key repeats."""

import json
from typing import Any

import aiohttp
import pytest

from api.parts import Parts
from tests.api.jobs import job_in, many_in
from tests.people import admin, call

VERIFICATION = "emails.verification"
DEEDS = ("retry", "discard", "replay")
_ORDERS = "SELECT name, body FROM outbox WHERE queue <> 'emails' AND name LIKE '%jobs%' ORDER BY id"


async def orders(owner: Any) -> list[dict[str, Any]]:
    """Return the bodies of the orders that were promised."""
    return [json.loads(row["body"]) for row in await owner.fetch(_ORDERS)]


@pytest.mark.parametrize("deed", DEEDS)
async def test_a_dry_run_counts_and_promises_nothing(
    api: aiohttp.ClientSession, owner: Any, deed: str
) -> None:
    boss = await admin(api, owner)
    await many_in(owner, "dead", 3)
    asked = {"filter": {"job": VERIFICATION}, "dryRun": True}

    found = [
        await call(api, boss, "POST", f"/admin/jobs/{deed}", body, Idempotency_Key=key)
        for body, key in ((asked, "a"), (asked, "a"), (asked | {"limit": 2}, "b"))
    ]

    assert [status for status, _ in found] == [202] * 3
    told = [body["data"] for _, body in found]
    assert told == [{"id": None, "matched": number} for number in (3, 3, 2)]
    assert await orders(owner) == []


@pytest.mark.parametrize("deed", DEEDS)
async def test_an_order_carries_what_was_asked_for_and_its_key_repeats_it(
    api: aiohttp.ClientSession, owner: Any, deed: str
) -> None:
    boss = await admin(api, owner)
    await many_in(owner, "dead", 3)
    wanted = {"queue": "emails", "job": VERIFICATION, "to": "2100-01-01T00:00:00Z"}
    asked = {"filter": wanted, "limit": 2}

    found = [
        await call(api, boss, "POST", f"/admin/jobs/{deed}", asked, Idempotency_Key="once")
        for _ in range(2)
    ]

    assert [(status, body["data"]["matched"]) for status, body in found] == [(202, 2)] * 2
    assert found[0][1]["data"]["id"] == found[1][1]["data"]["id"]
    [order] = await orders(owner)
    noted = await owner.fetch("SELECT action FROM audit_inbox WHERE action LIKE 'jobs.%'")
    assert [row["action"] for row in noted] == [f"jobs.{deed}_ordered"]
    kept = {name: order[name] for name in ("state", "of_queue", "of_job", "limit", "before")}
    assert kept == {
        "state": "dead",
        "of_queue": "emails",
        "of_job": VERIFICATION,
        "limit": 2,
        "before": "2100-01-01T00:00:00+00:00",
    }


async def test_an_order_is_over_those_whose_error_was_named(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    boss = await admin(api, owner)
    await job_in(parts, owner, "dead")  # 550 no such mailbox
    other = await job_in(parts, owner, "dead")
    await owner.execute("UPDATE outbox SET last_error = '421 later' WHERE id = $1", other)
    found = []

    for error in ("no SUCH", "later", "999"):
        asked = {"filter": {"errorContains": error}, "dryRun": True}
        _, body = await call(api, boss, "POST", "/admin/jobs/retry", asked)
        found.append(body["data"]["matched"])

    assert found == [1, 1, 0]


@pytest.mark.parametrize(
    ("deed", "state"), [("retry", "done"), ("retry", "pending"), ("discard", "done"),
                        ("replay", "pending"), ("replay", "delayed")],
)  # fmt: skip
async def test_a_state_that_does_not_allow_the_deed_is_refused_by_name(
    api: aiohttp.ClientSession, owner: Any, deed: str, state: str
) -> None:
    boss = await admin(api, owner)

    asked = {"filter": {"state": state}}
    status, body = await call(api, boss, "POST", f"/admin/jobs/{deed}", asked)

    assert (status, body["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert [item["field"] for item in body["error"]["details"]] == ["filter.state"]
    assert await orders(owner) == []
