"""Idempotency keys at their edges: whom they belong to, for how long, and who may finish them."""

from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from api.parts import Parts
from storage.actor import SYSTEM
from storage.idempotency import ClaimLost, InFlight
from storage.roles import BuiltInRole
from tests.api.flows import NEW, post
from tests.api.jobs import job_in
from tests.api.test_roles import AUDITOR
from tests.conftest import Serve
from tests.factories import PASSWORD, bearer, new_user
from tests.people import call, person
from workers.toolbox import Tools

_KEY = {"Idempotency-Key": "order-1"}


async def test_a_claim_left_behind_is_not_taken_over_by_another_body(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    await post(api, "register", headers=_KEY, **new_user())
    await owner.execute("UPDATE idempotency_keys SET result = NULL, lease_until = now()")

    status, told = await post(api, "register", headers=_KEY, **new_user())

    assert (status, told["error"]["code"]) == (422, "UNPROCESSABLE_ENTITY")
    assert await owner.fetchval("SELECT count(*) FROM users") == 1


async def test_what_was_made_is_not_made_again_when_the_lease_of_its_claim_is_over(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    boss = await person(api, owner, BuiltInRole.ADMIN)
    asked = (api, boss, "POST", "/content", {"title": "Notes"})
    _, first = await call(*asked, Idempotency_Key="k")
    await owner.execute("UPDATE idempotency_keys SET lease_until = now() - interval '1 second'")

    status, second = await call(*asked, Idempotency_Key="k")

    assert (status, second["data"]) == (201, first["data"])
    assert await owner.fetchval("SELECT count(*) FROM content") == 1


async def test_a_body_is_the_same_in_whichever_order_it_is_written(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    body = new_user()
    _, first = await post(api, "register", headers=_KEY, **body)

    status, second = await post(api, "register", headers=_KEY, **dict(reversed(body.items())))

    assert (status, second["data"]["user"]) == (201, first["data"]["user"])
    assert await owner.fetchval("SELECT count(*) FROM users") == 1


async def test_a_key_is_good_for_a_day_and_then_for_something_else(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    await post(api, "register", headers=_KEY, **new_user())
    left = "SELECT extract(epoch FROM expires_at - now())::float8 FROM idempotency_keys"
    seconds = await owner.fetchval(left)
    await owner.execute("UPDATE idempotency_keys SET expires_at = now()")

    status, _ = await post(api, "register", headers=_KEY, **new_user())

    assert 86_400 - 60 < seconds <= 86_400
    assert status == 201


async def test_a_key_that_is_taken_anew_is_kept_for_a_day_of_its_own(
    tools: Tools, owner: Any
) -> None:
    past = "UPDATE idempotency_keys SET expires_at = now() - interval '1 second'"
    async with tools.database.reading() as storage:
        await storage.idempotency.claim(b"key", secret=b"one", body_mac=b"body")
        await owner.execute(past)
        await storage.idempotency.claim(b"key", secret=b"one", body_mac=b"other")

        assert await storage.idempotency.purge(limit=9) == 0
        await owner.execute(past)
        assert await storage.idempotency.purge(limit=9) == 1


async def test_a_request_whose_lease_ran_out_cannot_finish_what_another_took_over(
    tools: Tools, owner: Any
) -> None:
    async with tools.database.reading() as storage:
        slow = await storage.idempotency.claim(b"key", secret=b"one", body_mac=b"body")
    await owner.execute("UPDATE idempotency_keys SET lease_until = now()")
    async with tools.database.reading() as storage:
        await storage.idempotency.claim(b"key", secret=b"one", body_mac=b"body")

    with pytest.raises(ClaimLost):
        async with tools.database.transaction(replace(SYSTEM, claim=slow)) as storage:
            await storage.idempotency.keep({"user": "x"})
    async with tools.database.reading() as storage:
        await storage.idempotency.release(slow)

    assert await owner.fetchval("SELECT count(*) FROM idempotency_keys WHERE result IS NULL") == 1


async def test_a_key_is_good_for_one_path_and_one_caller(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    body = new_user()
    _, told = await post(api, "register", headers=_KEY, **body)

    by_another_caller, _ = await post(api, "register", told["data"], headers=_KEY, **new_user())
    headers = _KEY | bearer(told["data"])
    async with api.post("/api/v1/content", json={"title": "Notes"}, headers=headers) as answer:
        by_another_path = answer.status
    async with api.post("/auth/register", json=new_user(), headers=_KEY) as answer:
        by_an_alias = answer.status

    assert by_another_caller == 201
    assert by_another_path == 201
    assert by_an_alias == 422  # the same place, and another body
    assert await owner.fetchval("SELECT count(*) FROM users") == 2
    assert await owner.fetchval("SELECT count(*) FROM idempotency_keys") == 3


async def test_a_registration_repeated_after_its_password_was_changed_gives_no_tokens(
    api: aiohttp.ClientSession,
) -> None:
    body = new_user()
    _, told = await post(api, "register", headers=_KEY, **body)
    await post(api, "change-password", told["data"], currentPassword=PASSWORD, newPassword=NEW)

    status, told = await post(api, "register", headers=_KEY, **body)

    async with api.get("/api/docs/openapi.json") as answer:
        documented = (await answer.json())["paths"]["/api/v1/auth/register"]["post"]["responses"]
    assert (status, told["error"]["code"]) == (401, "INVALID_TOKEN")
    assert documented["401"]["description"] == "INVALID_TOKEN"


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ("/users", {"email": "ada@example.com", "firstName": "Ada", "lastName": "Lovelace"}),
        ("/teams", {"name": "Engines"}),
        ("/roles", AUDITOR),
        ("/content", {"title": "Notes"}),
    ],
)
async def test_what_was_deleted_is_not_shown_again_nor_made_again(
    api: aiohttp.ClientSession, owner: Any, path: str, new: dict[str, Any]
) -> None:
    boss = await person(api, owner, BuiltInRole.ADMIN)
    _, made = await call(api, boss, "POST", path, new, Idempotency_Key="k")
    gone, _ = await call(api, boss, "DELETE", f"{path}/{made['data'].get('id', 'auditor')}")

    status, told = await call(api, boss, "POST", path, new, Idempotency_Key="k")

    assert gone == 200
    assert status == 404
    assert "Take a new key" in told["error"]["message"]


async def test_a_key_that_two_jobs_are_replayed_with_makes_two(
    api: aiohttp.ClientSession, owner: Any, parts: Parts
) -> None:
    boss = await person(api, owner, BuiltInRole.ADMIN)
    olds = [str(await job_in(parts, owner, state)) for state in ("dead", "discarded")]

    found = [
        (await call(api, boss, "POST", f"/admin/jobs/{old}/replay", {}, Idempotency_Key="k"))[1]
        for old in olds
    ]

    assert [told["data"]["replayOf"] for told in found] == olds


async def test_a_registration_that_opens_no_session_is_repeated_as_it_was(
    serve: Serve, owner: Any
) -> None:
    api, body = await serve(require_verified_email="login"), new_user()

    found = [await post(api, "register", headers=_KEY, **body) for _ in range(2)]

    assert [status for status, _ in found] == [202, 202]
    assert found[0][1]["message"] == found[1][1]["message"]
    assert await owner.fetchval("SELECT count(*) FROM users") == 1


@pytest.mark.parametrize("keys", [("one", "two"), ("one", "one"), ("one", "")])
async def test_of_two_keys_none_is_taken(
    api: aiohttp.ClientSession, owner: Any, keys: tuple[str, str]
) -> None:
    headers = [("Idempotency-Key", key) for key in keys]

    async with api.post("/api/v1/auth/register", json=new_user(), headers=headers) as answer:
        told = (await answer.json())["error"]

    assert (answer.status, told["code"]) == (400, "BAD_REQUEST")
    assert told["message"] == "Send one Idempotency-Key header."
    assert await owner.fetchval("SELECT count(*) FROM users") == 0
    assert await owner.fetchval("SELECT count(*) FROM idempotency_keys") == 0


@pytest.mark.parametrize(
    ("held", "wait"), [(0, 1), (0.1, 1), (1, 1), (7.5, 8), (30, 30), (30.5, 30), (55.5, 5), (60, 1)]
)
async def test_who_repeats_a_request_in_flight_waits_as_long_as_it_took_so_far(
    tools: Tools, held: float, wait: int
) -> None:
    known = {"secret": b"one", "body_mac": b"body"}
    async with tools.database.reading() as storage:
        await storage.idempotency.claim(b"key", **known)

    # In one transaction it is the same moment all the time.
    async with tools.database.transaction(SYSTEM) as storage:
        await storage.idempotency._connection.execute(
            "UPDATE idempotency_keys SET created_at = now() - make_interval(secs => $1),"
            " lease_until = now() + make_interval(secs => 60 - $1)",
            held,
        )
        with pytest.raises(InFlight) as refused:
            await storage.idempotency.claim(b"key", **known)

    assert refused.value.retry_after == wait


async def test_a_repeated_request_is_told_when_to_come_again(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    body = new_user()
    await post(api, "register", headers=_KEY, **body)
    await owner.execute("UPDATE idempotency_keys SET result = NULL")

    async with api.post("/api/v1/auth/register", json=body, headers=_KEY) as answer:
        told = await answer.json()

    assert (answer.status, told["error"]["code"]) == (409, "CONFLICT")
    assert 1 <= told["retryAfter"] == int(answer.headers["Retry-After"]) < 30
