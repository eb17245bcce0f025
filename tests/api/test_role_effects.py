"""What somebody may do follows their roles within a second at every process, at once at one's own.

Redis only hastens it (tests/chaos/test_roles.py takes it away), and never by its command KEYS.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from api.auth.presence import Presence
from api.parts import Parts
from ops.metrics import Metrics
from storage.merged import Merged
from storage.repositories import Storage
from tests.api.holders import changes, own_role, roles_read
from tests.conftest import Serve
from tests.people import admin, call, id_of, person

ROOT = Path(__file__).parents[2]
# What is promised.
SECOND = 1.0
UNLIMITED = {"rate_limit_anonymous": "off", "rate_limit_authenticated": "off"}
# A pattern given to KEYS, and the command by its name.
_KEYS = re.compile(r"""\.keys\(\s*["'frb]|(call|execute_command)\(\s*["']keys\b""", re.IGNORECASE)


async def test_what_changes_at_one_process_is_felt_there_at_once_and_elsewhere_within_a_second(
    serve: Serve, owner: Any
) -> None:
    one, other = await serve(**UNLIMITED), await serve(**UNLIMITED)
    boss, who = await admin(one, owner), await person(one, owner)
    role = await own_role(owner, "roles:read", rank=50)
    await asyncio.sleep(SECOND)  # what was made behind the front door is known by now

    for probe, change, before, after in changes(who, role):
        assert [await probe(api, who) for api in (one, other)] == [before, before], change
        status, told = await call(one, boss, *change)
        changed = time.monotonic()
        assert status == 200, told

        assert await probe(one, who) == after, change
        while await probe(other, who) != after:
            assert time.monotonic() - changed < SECOND, change
            await asyncio.sleep(0.005)


async def test_what_guests_may_do_changes_for_everybody_who_has_no_role(
    serve: Serve, owner: Any
) -> None:
    one, other = await serve(**UNLIMITED), await serve(**UNLIMITED)
    boss, who = await admin(one, owner), await person(one, owner, "guest")
    await asyncio.sleep(SECOND)
    found = [await roles_read(other, who)]

    for permissions in (["content:read", "roles:read"], ["content:read"]):
        body = {"permissions": permissions}
        assert (await call(one, boss, "PATCH", "/roles/guest", body))[0] == 200
        found.append(await roles_read(one, who))
        await asyncio.sleep(SECOND)
        found.append(await roles_read(other, who))

    assert found == [403, 200, 200, 403, 403]


async def test_a_right_that_was_taken_is_refused_at_once_however_many_ask_meanwhile(
    serve: Serve, owner: Any
) -> None:
    api = await serve(**UNLIMITED)
    boss, who = await admin(api, owner), await person(api, owner)
    role = await own_role(owner, "roles:read")
    path, stop = f"/users/{id_of(who)}/roles/{role}", asyncio.Event()

    async def ask() -> None:
        while not stop.is_set():
            await roles_read(api, who)

    askers = [asyncio.create_task(ask()) for _ in range(6)]
    found = []
    for method in ("PUT", "DELETE") * 8:
        await call(api, boss, method, path)
        found.append(await roles_read(api, who))
    stop.set()
    await asyncio.gather(*askers)

    assert found == [200, 403] * 8


class Slow:
    """A database whose answers are held back while the gate is shut."""

    def __init__(self, parts: Parts) -> None:
        self._database = parts.database
        self.merged = Merged(self.reading)
        self.gate = asyncio.Event()
        self.gate.set()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Storage]:
        """Read, and wait for the gate with what was read."""
        open_then = self.gate.is_set()
        async with self._database.reading() as storage:
            yield storage
        if not open_then:
            await self.gate.wait()


async def test_a_look_up_under_way_does_not_outlive_what_this_process_changed(
    parts: Parts, api: aiohttp.ClientSession, owner: Any
) -> None:
    await person(api, owner)
    session_id = await owner.fetchval("SELECT id FROM sessions")
    slow: Any = Slow(parts)
    presence = Presence(slow, Metrics())
    await presence.read()
    slow.gate.clear()
    looking = asyncio.create_task(presence.look(session_id))
    await asyncio.sleep(0.1)
    still, slow.gate = slow.gate, asyncio.Event()
    slow.gate.set()

    await owner.execute("DELETE FROM user_roles")
    await presence.read_own()
    still.set()
    await looking

    assert presence.known(session_id) is None
    await presence.look(session_id)
    assert presence.known(session_id) is not None


async def test_a_change_of_a_role_makes_a_process_forget_once_and_not_for_half_a_minute(
    parts: Parts, api: aiohttp.ClientSession, owner: Any
) -> None:
    await person(api, owner)
    session_id = await owner.fetchval("SELECT id FROM sessions")
    await owner.execute("DELETE FROM revocations")  # of this person, which are read again and again
    presence = Presence(parts.database, Metrics())
    await presence.read()
    await presence.look(session_id)
    found = []

    for _ in range(2):
        await owner.execute("UPDATE roles SET version = version + 1 WHERE name = 'guest'")
        for read in (presence.read, presence.read_own, presence.read):
            await read()
            found.append(presence.known(session_id) is not None)
            await presence.look(session_id)

    assert found == [False, True, True] * 2


def test_no_code_asks_redis_for_all_its_keys() -> None:
    offenders = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for floor in ("api", "workers", "storage", "ops")
        for path in (ROOT / floor).rglob("*.py")
        if (found := _KEYS.search(path.read_text()))
    ]

    assert offenders == []
    for line in ("client.keys('a*')", 'redis.call("KEYS", "a*")', "execute_command('keys', '*')"):
        assert _KEYS.search(line)


async def test_redis_is_never_asked_for_all_its_keys_whatever_is_done(
    serve: Serve, parts: Parts, owner: Any
) -> None:
    redis: Any = parts.redis._client
    api = await serve()
    await redis.config_resetstat()
    boss, who = await admin(api, owner), await person(api, owner)
    role = await own_role(owner, "roles:read")

    for _, change, _, _ in changes(who, role):
        assert (await call(api, boss, *change))[0] == 200
    async with api.get("/health/ready") as answer:
        assert answer.status == 200
    await parts.redis.targets()

    stats = await redis.info("commandstats")
    assert {"cmdstat_publish", "cmdstat_hgetall"} <= set(stats)
    assert not {"cmdstat_keys", "cmdstat_scan"} & set(stats)
