"""What processes remember of people is never stale for long, and never where it was changed."""

import asyncio
import time
from typing import Any

import aiohttp

from tests.conftest import Serve
from tests.factories import PASSWORD
from tests.people import Person, call, id_of, person


async def me(api: aiohttp.ClientSession, who: Person) -> dict[str, Any]:
    """Return what somebody is shown of themselves."""
    status, body = await call(api, who, "GET", "/auth/me")
    assert status == 200, body
    return dict(body["data"])


async def until(api: aiohttp.ClientSession, who: Person, name: str, value: object) -> float:
    """Wait until a process shows a value; return the seconds it took."""
    started = time.monotonic()
    while (await me(api, who))[name] != value:
        assert time.monotonic() - started < 5
        await asyncio.sleep(0.02)
    return time.monotonic() - started


async def test_a_changed_name_shows_at_once_where_it_was_changed_and_elsewhere_within_a_second(
    serve: Serve, owner: Any
) -> None:
    here, there = await serve(), await serve()
    who = await person(here, owner)
    assert (await me(here, who))["firstName"] == (await me(there, who))["firstName"] == "Ada"

    for name in ("Grace", "Edsger", "Barbara"):
        await call(here, who, "PATCH", f"/users/{id_of(who)}", {"firstName": name})

        assert (await me(here, who))["firstName"] == name
        assert await until(there, who, "firstName", name) < 1


async def test_a_change_by_hand_in_the_database_shows_within_a_second(
    serve: Serve, owner: Any
) -> None:
    api = await serve()
    who = await person(api, owner)
    assert (await me(api, who))["lastName"] == "Lovelace"

    await owner.execute(
        "UPDATE users SET last_name = 'Hopper', version = version + 1 WHERE id = $1", id_of(who)
    )

    assert await until(api, who, "lastName", "Hopper") < 1


async def test_another_sign_in_shows_in_every_session_within_a_second(
    serve: Serve, owner: Any
) -> None:
    here, there = await serve(), await serve()
    who = await person(here, owner)
    before = (await me(there, who))["lastLoginAt"]

    signed_in = {"email": who["user"]["email"], "password": PASSWORD}
    async with here.post("/api/v1/auth/login", json=signed_in) as answer:
        after = (await answer.json())["data"]["user"]["lastLoginAt"]

    assert after != before
    assert await until(there, who, "lastLoginAt", after) < 1
