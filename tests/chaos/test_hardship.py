"""Full disks, a server that may no longer write, clocks that jump: no loss, and no hands needed."""

import asyncio
import json
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import asyncpg
import psutil
import time_machine

from ops.logging import get_logger
from ops.stack import Addresses, Stack
from tests.chaos.conftest import House
from tests.chaos.disks import filled, small_disk, small_home
from tests.conftest import Serve
from tests.factories import new_user, register
from tests.nursery import Forking
from tests.ops.stacks import open_room
from tests.ops.test_up import Up
from tests.workers.processes import eventually

_log = get_logger()


class Client:
    """Registers people at a service in trouble, and remembers who was told that it worked."""

    def __init__(self, client: aiohttp.ClientSession) -> None:
        self.acknowledged: list[str] = []
        self.statuses: list[int] = []
        self.slowest = 0.0
        self._client = client

    async def register(self) -> int:
        """Register somebody; return the status, 0 for no answer. A 503 must say when to ask."""
        person, started = new_user(), time.monotonic()
        status = 0
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self._client.post("/api/v1/auth/register", json=person) as answer:
                status = answer.status
                assert status != 503 or "Retry-After" in answer.headers
                await answer.read()
        self.slowest = max(self.slowest, time.monotonic() - started)
        self.statuses.append(status)
        if status == 201:
            self.acknowledged.append(person["email"])
        return status

    async def until(self, status: int, seconds: float) -> float:
        """Register people until an answer has the status; return how long it took."""

        async def answered() -> bool:
            return await self.register() == status

        return await eventually(answered, seconds)


def owner_url(run: Up) -> str:
    lines = (run.home / "run" / "stack.env").read_text().splitlines()
    [url] = [line for line in lines if line.startswith("MIGRATION_DATABASE_URL=")]
    return url.partition("=")[2]


async def fill_the_log(run: Up) -> None:
    """Write to the write-ahead log until PostgreSQL has no room for it and panics."""
    with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection = await asyncpg.connect(owner_url(run), timeout=5)
        while True:
            await connection.execute(
                "SELECT pg_logical_emit_message(true, 'ballast', repeat('x', 4000000))"
            )


def letters(run: Up) -> set[str]:
    texts = [path.read_text() for path in (run.home / "mail").glob("*.eml")]
    return {
        line.rpartition("<")[2].rstrip(">")
        for text in texts
        for line in text.splitlines()
        if line.startswith("To: ")
    }


async def hasten(url: str) -> None:
    """Have the next probe of every paused queue leave at once."""
    connection = await asyncpg.connect(url, timeout=5)
    await connection.execute("UPDATE queue_pauses SET until = now() - interval '1 second'")
    await connection.close()


@small_disk
async def test_a_full_disk_costs_nothing_that_was_acknowledged_and_needs_no_hands(
    forking: Forking,
) -> None:
    with open_room() as folder:
        await _live_through_a_full_disk(folder, forking)


async def _live_through_a_full_disk(folder: Path, forking: Forking) -> None:
    async with AsyncExitStack() as opened:
        home = opened.enter_context(small_home(folder / "disk", 450))
        run = Up(home, forking, rate_limit_anonymous="off", log_format="json")
        try:
            await asyncio.to_thread(run.await_card)
            session = await opened.enter_async_context(
                aiohttp.ClientSession(f"http://127.0.0.1:{run.port}")
            )
            client = Client(session)
            for _ in range(5):
                assert await client.register() == 201

            with filled(folder / "disk") as fill:
                refused = await client.until(503, 60)
                await fill_the_log(run)
                fill()
                # Should it live through that, it ends now; it cannot start without room.
                for one in psutil.Process(run.process.pid).children():
                    with suppress(psutil.NoSuchProcess):
                        if one.name() == "postgres":
                            one.kill()
                for _ in range(10):
                    await client.register()
                    await asyncio.sleep(0.2)
            freed = time.monotonic()
            back = await client.until(201, 60)
            _log.info(
                "disk full",
                refused=round(refused, 1),
                back=round(back, 1),
                slowest=round(client.slowest, 1),
                statuses={status: client.statuses.count(status) for status in {*client.statuses}},
            )

            async def all_have_letters() -> bool:
                await hasten(owner_url(run))
                return set(client.acknowledged) <= letters(run)

            took = await eventually(all_have_letters, 60)
            _log.info("disk full, letters", seconds=round(time.monotonic() - freed, 1), took=took)
            connection = await asyncpg.connect(owner_url(run), timeout=5)
            kept = {email for (email,) in await connection.fetch("SELECT email FROM users")}
            await connection.close()
            assert set(client.acknowledged) <= kept
            assert set(client.statuses) <= {201, 503}
            assert client.slowest < 5
        finally:
            run.stop()


async def _as_superuser(home: Path, addresses: Addresses, *statements: str) -> None:
    password = quote(json.loads((home / "passwords.json").read_text())["postgres"])
    sockets = str(addresses.database_url).partition("?")[2]
    url = f"postgresql://postgres:{password}@/postgres?{sockets}"
    connection = await asyncpg.connect(url, timeout=5)
    for statement in ("SET default_transaction_read_only = off", *statements):
        await connection.execute(statement)
    await connection.close()


async def test_after_a_fail_over_writes_go_on_within_seconds_without_a_restart(
    own_house: House, own_stack: tuple[Stack, Addresses, Path]
) -> None:
    _, addresses, folder = own_stack
    reload = "SELECT pg_reload_conf()"
    roles = ("ostiary_api", "ostiary_worker", "ostiary_owner")
    await own_house.relay()
    await own_house.worker()
    before = [await own_house.register() for _ in range(3)]
    home = folder / "home"
    client = Client(own_house.client)

    # The server that every open connection leads to may only be read from now on.
    flip = "ALTER SYSTEM SET default_transaction_read_only = on"
    await _as_superuser(home, addresses, flip, reload)
    try:
        await client.until(503, 5)
        for _ in range(5):
            assert await client.register() == 503
        # And the one that new connections lead to may be written.
        to = "ALTER ROLE {} SET default_transaction_read_only = off"
        await _as_superuser(home, addresses, *(to.format(role) for role in roles))
        back = await client.until(201, 5)
        took = await own_house.all_have_letters([*before, *client.acknowledged], 10)
        await own_house.settles()
    finally:
        reset = "ALTER ROLE {} RESET default_transaction_read_only"
        unflip = "ALTER SYSTEM RESET default_transaction_read_only"
        await _as_superuser(
            home,
            addresses,
            *(reset.format(role) for role in roles),
            unflip,
            reload,
        )
    _log.info("failed over", back=round(back, 2), letters=round(took, 2))
    assert client.slowest < 2.5


# What a clock does that is set forward: everything that was noted lies further back.
AN_HOUR_LATER = """
UPDATE outbox SET
    created_at = created_at - interval '1 hour', available_at = available_at - interval '1 hour',
    run_until = run_until - interval '1 hour', handed_at = handed_at - interval '1 hour'
RETURNING 1
"""


async def test_the_databases_clock_set_forward_an_hour_costs_at_most_a_copy_of_what_was_under_way(
    house: House,
) -> None:
    house.sink.delay = 2
    await house.relay()
    await house.worker()
    people = [await house.register() for _ in range(3)]
    await house.begins_a_letter()

    await house.ask(AN_HOUR_LATER)
    await house.all_have_letters(people, 30)
    house.sink.delay = 0
    await house.settles(30)

    for person in people:
        assert len(house.letters_to(person)) <= 2
        assert len(set(house.letters_to(person))) == 1
    assert await house.promised("state = 'dead'") == 0


async def test_our_clock_set_forward_and_back_ends_access_tokens_and_no_session(
    serve: Serve,
) -> None:
    client = await serve()
    who = await register(client)
    me, now = "/api/v1/auth/me", time.time()

    async def asks(token: str) -> int:
        async with client.get(me, headers={"Authorization": f"Bearer {token}"}) as answer:
            return answer.status

    async def refreshes(token: str) -> Any:
        async with client.post("/api/v1/auth/refresh", json={"refreshToken": token}) as answer:
            assert answer.status == 200
            return (await answer.json())["data"]

    with time_machine.travel(now + 3_600):
        assert await asks(who["accessToken"]) == 401
        later = await refreshes(who["refreshToken"])
        assert await asks(later["accessToken"]) == 200
    again = await refreshes(later["refreshToken"])
    assert await asks(again["accessToken"]) == 200
    with time_machine.travel(now - 3_600):
        earlier = await refreshes(again["refreshToken"])
        assert await asks(earlier["accessToken"]) == 200
    last = await refreshes(earlier["refreshToken"])
    assert await asks(last["accessToken"]) == 200
