"""Sessions over two web processes: what ended is refused within a second, one leaf stays alive."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import asyncpg
import pytest

from ops.logging import get_logger
from tests.chaos.conftest import ROUNDS
from tests.chaos.pair import (
    NEW_PASSWORD,
    Accident,
    Pair,
    call,
    frozen,
    login,
    percentile,
    redis_frozen,
    redis_killed,
    redis_well,
    refresh,
    status_of,
    timed,
)
from tests.factories import PASSWORD, register
from tests.mailroom import kind_of, to_of, token_of

_log = get_logger()

SECOND = 1.0
RACES = 10 if len(ROUNDS) == 1 else 100
# Also longer than what a web process reads of the past, which takes its time.
PAUSES = [3] if len(ROUNDS) == 1 else [3, 35]
LIVE = "SELECT count(*) FROM sessions WHERE user_id = $1 AND ended_at IS NULL"
REUSED = "SELECT count(*) FROM sessions WHERE user_id = $1 AND end_reason = 'reuse'"

Person = dict[str, Any]
End = Callable[[], Awaitable[int]]
# Readies an ending of a person's second session; the first one may act.
Ending = Callable[[Pair, Person, Person], Awaitable[End]]


async def _logout(pair: Pair, _: Person, second: Person) -> End:
    return lambda: call(pair.one, "POST", "logout", second)


async def _logout_all(pair: Pair, first: Person, _: Person) -> End:
    return lambda: call(pair.one, "POST", "logout-all", first)


async def _delete_me(pair: Pair, first: Person, _: Person) -> End:
    return lambda: call(pair.one, "DELETE", "me", first)


async def _change_password(pair: Pair, first: Person, _: Person) -> End:
    body = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD}
    return lambda: call(pair.one, "POST", "change-password", first, **body)


async def _reset_password(pair: Pair, first: Person, _: Person) -> End:
    email = first["user"]["email"]
    assert await call(pair.one, "POST", "forgot-password", None, email=email) == 200
    letters = await pair.mailroom.deliver()
    [letter] = [item for item in letters if kind_of(item) == "reset" and to_of(item) == email]
    body = {"token": token_of(letter), "newPassword": NEW_PASSWORD}
    return lambda: call(pair.one, "POST", "reset-password", None, **body)


async def _deactivate(pair: Pair, first: Person, _: Person) -> End:
    async def end() -> int:
        deactivate = "UPDATE users SET is_active = false WHERE email = $1"
        await pair.ask(deactivate, first["user"]["email"])
        return 200

    return end


ENDINGS = [_logout, _logout_all, _delete_me, _change_password, _reset_password, _deactivate]


async def refused_after(pair: Pair, who: Person, end: End) -> float:
    """End a session in use; return the seconds from that answer until both processes refused."""

    async def use(client: aiohttp.ClientSession) -> float:
        while (status := await status_of(client, who)) == 200:  # noqa: ASYNC110 - asked from outside
            await asyncio.sleep(0.005)
        assert status == 401
        return time.monotonic()

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        using = [group.create_task(use(client)) for client in pair.clients]
        await asyncio.sleep(0.02)
        assert await end() == 200
        ended = time.monotonic()
    return max(0.0, max(task.result() for task in using) - ended)


@pytest.mark.parametrize("accident", [redis_well, redis_frozen, redis_killed])
async def test_what_ends_a_session_at_one_process_is_obeyed_by_the_other_within_a_second(
    pair: Pair, accident: Accident
) -> None:
    delays = []
    for ending in ENDINGS * len(ROUNDS):
        first, second = await pair.person_with_two_sessions()
        end = await ending(pair, first, second)
        for client in pair.clients:
            assert await status_of(client, second) == 200

        with accident(pair):
            delays.append(await refused_after(pair, second, end))
            assert (await refresh(pair.other, second["refreshToken"]))[0] == 401
            goes_on = ending in (_logout, _change_password)
            assert await status_of(pair.other, first) == (200 if goes_on else 401)
        assert delays[-1] < SECOND, ending.__name__
    _log.info(
        "revoked",
        accident=accident.__name__,
        count=len(delays),
        p50=percentile(delays, 0.5),
        slowest=percentile(delays, 1),
    )


@pytest.mark.parametrize("seconds", PAUSES)
async def test_a_process_that_was_frozen_while_sessions_ended_refuses_them_from_then_on(
    pair: Pair, seconds: int
) -> None:
    asked, unasked, stranger = [await register(pair.one) for _ in range(3)]
    for who in (asked, unasked, stranger) * 3:
        assert await status_of(pair.other, who) == 200

    with frozen(pair.pid_of_other):
        for who in (asked, unasked):
            assert await call(pair.one, "POST", "logout", who) == 200
        asked_meanwhile = asyncio.create_task(status_of(pair.other, asked))
        await asyncio.sleep(seconds)
    until = time.monotonic() + SECOND
    found = {await asked_meanwhile}
    while time.monotonic() < until:
        found.add(await status_of(pair.other, asked))

    # By now it reads again what was revoked, and believes what it remembers.
    assert await status_of(pair.other, unasked) == 401
    assert found == {401}
    assert await status_of(pair.other, stranger) == 200


@pytest.mark.parametrize("seconds", PAUSES)
async def test_a_session_ended_in_a_long_transaction_is_refused_from_its_commit_on(
    pair: Pair, seconds: int
) -> None:
    who = await register(pair.one)
    connection = await asyncpg.connect(pair.database_url)
    transaction = connection.transaction()
    await transaction.start()
    end = "UPDATE sessions SET ended_at = now() WHERE user_id = $1"
    await connection.execute(end, who["user"]["id"])
    await asyncio.sleep(seconds)
    assert [await status_of(client, who) for client in pair.clients] == [200, 200]

    await transaction.commit()
    await connection.close()

    await asyncio.sleep(SECOND)
    assert [await status_of(client, who) for client in pair.clients] == [401, 401]


async def test_fifty_refreshes_at_once_over_two_processes_leave_one_live_leaf(pair: Pair) -> None:
    first = await register(pair.one)
    generation = "SELECT generation FROM sessions WHERE user_id = $1"
    token = first["refreshToken"]
    runs = 5 * len(ROUNDS)
    for run in range(1, runs + 1):
        found = await asyncio.gather(*(refresh(client, token) for client in pair.clients * 25))

        assert {status for status, _ in found} == {200}
        leaves = {told["data"]["refreshToken"] for _, told in found}
        assert len(leaves) == 1
        assert await pair.ask(generation, first["user"]["id"]) == run
        token = leaves.pop()
    last = found[-1][1]["data"]

    assert (await refresh(pair.one, first["refreshToken"]))[0] == 401
    assert (await refresh(pair.other, token))[0] == 401
    assert await pair.ask(LIVE, first["user"]["id"]) == 0
    await asyncio.sleep(SECOND)
    assert [await status_of(client, last) for client in pair.clients] == [401, 401]


@pytest.mark.parametrize("accident", [redis_well, redis_frozen])
async def test_sixteen_clients_refresh_over_two_processes_without_a_lost_step(
    pair: Pair, accident: Accident
) -> None:
    people = [await register(pair.one) for _ in range(16)]
    seconds = 2 * len(ROUNDS)
    times: list[float] = []

    async def keep_refreshing(person: Person, until: float) -> int:
        token, count = person["refreshToken"], 0
        while time.monotonic() < until:
            client = pair.clients[count % 2]
            status, told = await timed(times, refresh(client, token))
            assert status == 200
            token, count = told["data"]["refreshToken"], count + 1
        return count

    with accident(pair):
        until = time.monotonic() + seconds
        counts = await asyncio.gather(*(keep_refreshing(person, until) for person in people))

    _log.info(
        "refreshed",
        accident=accident.__name__,
        per_second=round(len(times) / seconds),
        p50=percentile(times, 0.5),
        p99=percentile(times, 0.99),
        slowest=percentile(times, 1),
    )
    assert max(times) < 1.5
    generation = "SELECT generation FROM sessions WHERE user_id = $1"
    assert counts == [await pair.ask(generation, person["user"]["id"]) for person in people]


async def _race(pair: Pair, ending: Ending) -> tuple[str, list[Person]]:
    """End a session while it refreshes at both; return whose it was and all tokens it had."""
    first, second = await pair.person_with_two_sessions()
    end = await ending(pair, first, second)

    async def refresh_until_refused() -> list[Person]:
        tokens = [second]
        while True:
            live = tokens[-1]["refreshToken"]
            found = await asyncio.gather(*(refresh(client, live) for client in pair.clients * 3))
            assert {status for status, _ in found} <= {200, 401}
            tokens += [told["data"] for status, told in found if status == 200]
            if tokens[-1]["refreshToken"] == live:
                return tokens

    async def end_somewhen() -> int:
        await asyncio.sleep(random.uniform(0, 0.03))
        return await end()

    async with asyncio.timeout(10):
        tokens, ended = await asyncio.gather(refresh_until_refused(), end_somewhen())
    assert ended == 200
    return first["user"]["id"], tokens


@pytest.mark.parametrize("ending", [_logout_all, _change_password, _delete_me])
async def test_refreshes_racing_with_the_end_leave_no_token_alive(
    pair: Pair, ending: Ending
) -> None:
    races = [await _race(pair, ending) for _ in range(RACES)]
    await asyncio.sleep(SECOND)

    survivors = 1 if ending is _change_password else 0
    assert any(len(tokens) > 1 for _, tokens in races)  # else nothing raced
    for user_id, tokens in races:
        assert await pair.ask(LIVE, user_id) == survivors
        assert await pair.ask(REUSED, user_id) == 0
        for client in pair.clients:
            found = await asyncio.gather(*(status_of(client, item) for item in tokens))
            assert set(found) == {401}
        refresh_tokens = {item["refreshToken"] for item in tokens}
        answers = await asyncio.gather(*(refresh(pair.one, token) for token in refresh_tokens))
        assert {status for status, _ in answers} == {401}


async def test_sign_ins_racing_with_a_change_of_password_leave_no_session_of_the_old_one(
    pair: Pair,
) -> None:
    opened, changed = [], []
    for _ in range(RACES // 4):
        first, second = await pair.person_with_two_sessions()
        email = first["user"]["email"]
        change = await _change_password(pair, first, second)

        ended, *found = await asyncio.gather(
            change(), *(login(client, email) for client in pair.clients * 2)
        )

        assert ended == 200
        assert {status for status, _ in found} <= {200, 401}
        assert await pair.ask(LIVE, first["user"]["id"]) == 1
        opened += [told["data"] for status, told in found if status == 200]
        changed.append(first)

    await asyncio.sleep(SECOND)
    assert opened  # else nothing raced
    assert {await status_of(pair.other, item) for item in opened} == {401}
    assert {await status_of(pair.other, item) for item in changed} == {200}
