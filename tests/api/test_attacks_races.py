"""What happens at one moment: a thief beside the owner, one call ten times, far too many calls."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from ops.stack import Addresses
from tests.api.flows import AUTH, NEW, post, somebody, via, wish
from tests.conftest import Serve
from tests.factories import PASSWORD, bearer, new_user, register
from tests.mailroom import Mailroom, kind_of, token_of
from workers.toolbox import Tools

_WAITING = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"
# Each is verified for seconds: together they outlast everybody's patience, also on a fast machine.
_SLOW = (
    f"$2b$15${'.' * 53}",
    *(f"pbkdf2_sha256${rounds}$salt${'A' * 43}=" for rounds in (2_000_000, 1_999_999)),
)


@pytest.fixture
def mailroom(tools: Tools, tmp_path: Path) -> Mailroom:
    return Mailroom(tools, tmp_path)


async def called(
    api: aiohttp.ClientSession,
    door: str,
    who: dict[str, Any] | None = None,
    *,
    headers: dict[str, str] | None = None,
    **body: Any,
) -> int:
    """Call a method and path under /auth; return the status."""
    method, path = door.split()
    headers = (headers or {}) | (bearer(who) if who else {})
    async with api.request(method, f"{AUTH}{path}", json=body or None, headers=headers) as answer:
        return answer.status


async def in_line(owner: Any, count: int) -> None:
    """Return when so many connections wait for locks."""
    async with asyncio.timeout(10):
        while await owner.fetchval(_WAITING) < count:  # noqa: ASYNC110 - locks set no event
            await asyncio.sleep(0.01)


async def test_a_wish_whose_password_was_looked_at_before_a_reset_dies_with_that_password(
    api: aiohttp.ClientSession, mailroom: Mailroom, owner: Any, addresses: Addresses
) -> None:
    thief, address = await somebody(api, mailroom)
    await post(api, "forgot-password", email=address)
    token = token_of(await mailroom.one("reset"))
    holder = await asyncpg.connect(addresses.migration_database_url)

    async with holder.transaction():
        await holder.execute("SELECT FROM users FOR NO KEY UPDATE")
        reset = asyncio.create_task(post(api, "reset-password", token=token, newPassword=NEW))
        await in_line(owner, 1)
        wished = asyncio.create_task(wish(api, thief, "thief@example.com"))
        await in_line(owner, 2)
    (done, _), (status, told) = await reset, await wished
    await holder.close()

    assert done == 200
    assert status == 409
    assert told["error"]["code"] == "CONFLICT"
    assert await owner.fetchval("SELECT count(*) FROM email_changes WHERE spent_at IS NULL") == 0
    assert [kind_of(letter) for letter in await mailroom.deliver()] == ["password_changed"]


async def test_guesses_during_and_after_a_reset_do_not_keep_the_owner_out_at_its_place(
    serve: Serve, mailroom: Mailroom
) -> None:
    api = await serve(trusted_proxies="127.0.0.1", rate_limit_anonymous="off")
    _, address = await somebody(api, mailroom)
    await post(api, "forgot-password", email=address)
    token = token_of(await mailroom.one("reset"))
    home = via(500) | {"User-Agent": "the owner's browser"}
    body: dict[str, Any] = {"token": token, "newPassword": NEW}

    async def guess(number: int) -> int:
        headers = via(number) | {"User-Agent": "guesser"}
        return (await post(api, "login", headers=headers, email=address, password="wrong"))[0]

    (reset, _), _meanwhile = await asyncio.gather(
        post(api, "reset-password", headers=home, **body),
        asyncio.gather(*(guess(number) for number in range(10))),
    )
    later = [await guess(number) for number in range(10, 20)]
    status, _ = await post(api, "login", headers=home, email=address, password=NEW)

    assert reset == 200
    assert 429 in later
    assert status == 200


async def test_a_registration_is_not_repeated_with_a_password_that_was_changed_since(
    api: aiohttp.ClientSession,
) -> None:
    body, key = new_user(), {"Idempotency-Key": "one"}
    _, first = await post(api, "register", headers=key, **body)
    before, _ = await post(api, "register", headers=key, **body)
    change: dict[str, Any] = {"currentPassword": PASSWORD, "newPassword": NEW}
    await post(api, "change-password", first["data"], **change)

    status, told = await post(api, "register", headers=key, **body)

    assert before == 201
    assert status == 401
    assert told["error"]["code"] == "INVALID_TOKEN"
    assert "data" not in told


async def test_whatever_ends_sessions_at_once_waits_for_the_others_and_never_fails(
    serve: Serve, mailroom: Mailroom
) -> None:
    api = await serve(
        rate_limit_anonymous="off",
        rate_limit_authenticated="off",
        rate_limit_auth_failures="off",
        sessions_per_user="3",
    )
    agents = [{"User-Agent": f"browser {number}"} for number in range(3)]
    found = []

    for _ in range(4):
        first, address = await somebody(api, mailroom)
        mine: dict[str, Any] = {"email": address, "password": PASSWORD}
        signed_in = [first] + [
            (await post(api, "login", headers=agent, **mine))[1]["data"] for agent in agents
        ]
        await mailroom.deliver()
        await post(api, "forgot-password", email=address)
        token = token_of(await mailroom.one("reset"))
        found += await asyncio.gather(
            *(called(api, "DELETE /sessions", who) for who in signed_in),
            *(called(api, "POST /logout-all", who) for who in signed_in),
            *(called(api, "POST /login", headers=agent, **mine) for agent in agents * 2),
            *(
                called(api, "POST /refresh", refreshToken=who["refreshToken"])
                for who in signed_in * 2
            ),
            called(api, "POST /reset-password", token=token, newPassword=NEW),
        )

    assert set(found) <= {200, 401}
    assert found.count(200) >= 4


async def test_a_try_that_nobody_had_time_to_look_at_costs_no_attempt(
    serve: Serve, owner: Any
) -> None:
    for number, stored in enumerate(_SLOW):
        await owner.execute(
            "INSERT INTO users (id, email, password_hash, first_name, last_name)"
            " VALUES (gen_random_uuid(), $1, $2, 'Ada', 'Lovelace')",
            f"slow{number}@example.com",
            stored,
        )
    api = await serve(trusted_proxies="127.0.0.1", rate_limit_anonymous="off", hash_slots="1")
    await register(api, email="ada@example.com")

    async def sign_in(number: int, email: str) -> int:
        body: dict[str, Any] = {"email": email, "password": PASSWORD}
        return await called(api, "POST /login", headers=via(number), **body)

    slow = asyncio.create_task(sign_in(1, "slow0@example.com"))
    await asyncio.sleep(0.1)
    busy = await asyncio.gather(*(sign_in(2, "ada@example.com") for _ in range(5)))
    wrong = await slow
    status = await sign_in(2, "ada@example.com")

    assert wrong == 401
    assert busy == [503] * 5
    assert status == 200


async def test_leaving_ten_times_at_once_counts_once(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    who = await register(api)

    found = await asyncio.gather(*(called(api, "DELETE /me", who) for _ in range(10)))

    noted = "SELECT count(*) FROM audit_inbox WHERE action = 'user.deleted'"
    farewells = "SELECT count(*) FROM outbox WHERE name = 'emails.account_deleted'"
    assert sorted(found) == [200] + [401] * 9
    assert await owner.fetchval(noted) == 1
    assert await owner.fetchval(farewells) == 1
