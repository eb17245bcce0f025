"""Attacks on people and what they make: time, rights that are held back, ways into accounts."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from tests.api.holders import holder
from tests.conftest import Serve
from tests.factories import PASSWORD, bearer, new_user
from tests.people import Person, admin, call, id_of, manager, person


def marks(count: int) -> str:
    """Return combining marks out of order: to compose them takes the square of their number."""
    return "a" + "\u0301" * (count // 2) + "\u0323" * (count // 2)


@pytest.mark.parametrize(
    ("method", "path", "field"),
    [
        ("POST", "/auth/login", "password"),
        ("POST", "/auth/login", "email"),
        ("POST", "/auth/register", "firstName"),
        ("PATCH", "/users/me", "firstName"),
        ("PATCH", "/users/me", "profilePicture"),
        ("PUT", "/users/me/profile", "bio"),
        ("POST", "/content", "title"),
        ("POST", "/content", "body"),
    ],
)
async def test_no_text_keeps_a_process_busy_with_composing_it(
    api: aiohttp.ClientSession, owner: Any, method: str, path: str, field: str
) -> None:
    who = await person(api, owner)
    body = {"email": "a@example.com", "password": PASSWORD} if "login" in path else {}
    body |= new_user() if "register" in path else {}
    body |= {"title": "Notes"} if path == "/content" else {}
    raw = json.dumps(body | {field: marks(30_000)}, ensure_ascii=False).encode()
    headers = bearer(who) | {"Content-Type": "application/json"}

    started = time.process_time()  # of this very process, in which the server runs
    async with api.request(method, f"/api/v1{path}", data=raw, headers=headers) as answer:
        assert answer.status == 400, await answer.text()

    assert time.process_time() - started < 0.4  # composed it would take three seconds


async def test_marks_that_a_script_needs_are_taken(api: aiohttp.ClientSession, owner: Any) -> None:
    who = await person(api, owner)
    name = "Vie\u0323\u0302t Ng\u01b0\u01a1\u0300i"

    status, told = await call(api, who, "PATCH", "/users/me", {"firstName": name})

    assert (status, told["data"]["firstName"]) == (200, "Vi\u1ec7t Ng\u01b0\u1eddi")


async def slowly(
    api: aiohttp.ClientSession,
    who: Person,
    asked: tuple[str, str, dict[str, Any]],
    meanwhile: Callable[[], Awaitable[tuple[int, Any]]],
) -> int:
    """Ask with a body whose end is held back while something else happens; return the status."""
    method, path, body = asked
    raw = json.dumps(body).encode()
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def held_back() -> AsyncIterator[bytes]:
        yield raw[:1]
        begun.set()
        await may_end.wait()
        yield raw[1:]

    async def ask() -> int:
        headers = bearer(who) | {"Content-Type": "application/json"}
        url = f"/api/v1{path}"
        async with api.request(method, url, data=held_back(), headers=headers) as answer:
            return answer.status

    asking = asyncio.create_task(ask())
    await begun.wait()
    await asyncio.sleep(0.4)  # it has been identified, and waits for the rest
    assert (await meanwhile())[0] == 200
    may_end.set()
    return await asking


async def test_a_body_that_is_held_back_keeps_no_right_that_was_lost_meanwhile(
    serve: Serve, owner: Any
) -> None:
    api = await serve()
    lost, other, victim = await admin(api, owner), await admin(api, owner), await person(api, owner)
    theft = ("PATCH", f"/users/{id_of(victim)}", {"email": "thief@example.com"})

    status = await slowly(
        api, lost, theft, lambda: call(api, other, "POST", f"/users/{id_of(lost)}/suspend")
    )

    assert status == 401
    email = await owner.fetchval("SELECT email FROM users WHERE id = $1", id_of(victim))
    assert email == victim["user"]["email"]


async def test_a_role_that_is_lost_while_a_body_is_held_back_permits_nothing_more(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    ada, boss = await person(api, owner), await admin(api, owner)

    status = await slowly(
        api,
        ada,
        ("POST", "/content", {"title": "Notes"}),
        lambda: call(api, boss, "DELETE", f"/users/{id_of(ada)}/roles/user"),
    )

    assert status == 403
    assert await owner.fetchval("SELECT count(*) FROM content") == 0


async def test_a_body_held_back_where_none_is_taken_keeps_no_rights_either(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    lead, boss = await manager(api, owner), await admin(api, owner)
    made = (await call(api, lead, "POST", "/teams", {"name": "Support"}))[1]["data"]

    status = await slowly(
        api,
        lead,
        ("DELETE", f"/teams/{made['id']}", {}),
        lambda: call(api, boss, "POST", f"/users/{id_of(lead)}/suspend"),
    )

    assert status == 401
    assert await owner.fetchval("SELECT count(*) FROM teams") == 1


async def test_nobody_takes_over_an_account_that_may_do_what_they_may_not(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    helpdesk = await holder(api, owner, "users:read", "users:update", rank=50)
    powerful = await holder(api, owner, "users:read", "users:delete", rank=50)
    address = {"email": "mine@example.com"}

    refused, _ = await call(api, helpdesk, "PATCH", f"/users/{id_of(powerful)}", address)
    renamed, _ = await call(
        api, helpdesk, "PATCH", f"/users/{id_of(powerful)}", {"firstName": "Grace"}
    )

    assert (refused, renamed) == (403, 200)


async def test_an_idempotency_key_is_the_same_under_every_alias(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    who = await person(api, owner)
    headers = bearer(who) | {"Idempotency-Key": "once"}

    made = []
    for path in ("/api/v1/content", "/api/content"):
        async with api.post(path, json={"title": "Notes"}, headers=headers) as answer:
            made.append((await answer.json())["data"]["id"])

    assert made[0] == made[1]
    assert await owner.fetchval("SELECT count(*) FROM content") == 1


async def test_the_people_of_a_team_are_listed_to_who_may_see_every_team(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    reader = await holder(api, owner, "users:read", rank=50)
    team = "01935b5c-6d1e-7a3b-8c4d-5e6f708192a3"

    status, _ = await call(api, reader, "GET", f"/users?filter[team]={team}")

    assert status == 403
