"""The audit trail is verified over HTTP, without keeping others waiting."""

import asyncio
import io
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from api.audit.verification import StillVerifying, Verification
from api.parts import Parts
from ops.logging import bound, set_up
from ops.metrics import Metrics
from ops.tracing import Kind
from tests.ops.memory import Memory
from tests.people import Person, admin, call
from tests.storage.trail import garbage_of_others_apart, generate, note, seal
from workers.toolbox import Tools


@pytest.fixture
async def boss(api: aiohttp.ClientSession, owner: Any) -> Person:
    """Register an administrator, and forget that they did."""
    who = await admin(api, owner)
    await owner.execute("DELETE FROM audit_inbox")
    return who


async def test_a_changed_row_is_named_by_verification(
    api: aiohttp.ClientSession, boss: Person, owner: Any, tools: Tools
) -> None:
    await note(tools.database, *["user.created"] * 9)
    await seal(tools.database)
    _, before = await call(api, boss, "GET", "/audit/verify")

    await owner.execute("UPDATE audit_ledger SET action = 'user.erased' WHERE sequence = 4")
    status, after = await call(api, boss, "GET", "/audit/verify")

    assert (before["data"]["valid"], before["data"]["firstBroken"]) == (True, None)
    assert before["data"]["head"]["sequence"] == before["data"]["checked"]
    assert status == 200
    assert (after["data"]["valid"], after["data"]["firstBroken"]) == (False, 4)
    assert after["data"]["reason"]


async def test_the_apis_role_verifies_but_changes_nothing(parts: Parts, tools: Tools) -> None:
    await note(tools.database, "user.created")
    await seal(tools.database)

    verdict, _ = await verification(parts).result()

    assert (verdict.valid, verdict.checked) == (True, 1)
    async with parts.database.reading() as storage:
        for statement in ("UPDATE audit_ledger SET action = 'x'", "DELETE FROM audit_personal"):
            with pytest.raises(Exception, match="permission denied"):
                await storage._connection.execute(statement)


def verification(parts: Parts, *, home: Path | None = None, patience: float = 25) -> Verification:
    """Make a verification as the API does."""
    return Verification(
        database=parts.database,
        keys=parts.keys,
        home=home or parts.settings.home,
        metrics=Metrics(),
        patience=patience,
    )


async def test_who_asks_while_a_verification_runs_gets_its_result(
    parts: Parts, tools: Tools
) -> None:
    await note(tools.database, *["user.created"] * 2_000)
    await seal(tools.database, limit=2_000)
    asked = verification(parts)

    found = await asyncio.gather(*(asked.result() for _ in range(20)))
    later = await asked.result()

    assert len({when for _, when in found}) == 1
    assert later[1] > found[0][1]


async def test_a_verification_for_all_is_in_the_trace_and_the_lines_of_nobody_who_asks(
    parts: Parts, tools: Tools, owner: Any
) -> None:
    await note(tools.database, *["user.created"] * 3)
    await seal(tools.database)
    await owner.execute("UPDATE audit_ledger SET action = 'user.erased' WHERE sequence = 2")
    memory, said = Memory(), io.StringIO()
    set_up(parts.settings, process="asked", output=said)
    span = memory.tracer.begin("asked", kind=Kind.SERVER, attributes={})
    assert span

    with bound(request_id="req_of_somebody"), span:
        verdict, _ = await verification(parts).result()
    set_up(parts.settings, process="test")

    assert not verdict.valid
    assert [each.name for each in memory.all] == ["asked"]
    assert "audit chain broken" in said.getvalue()
    assert "req_of_somebody" not in said.getvalue()


async def test_a_verification_longer_than_anybody_waits_is_told_to_who_asks_again(
    parts: Parts, tools: Tools
) -> None:
    await note(tools.database, *["user.created"] * 2_000)
    await seal(tools.database, limit=2_000)
    asked = verification(parts, patience=0.001)

    with pytest.raises(StillVerifying) as refused:
        await asked.result()
    running = asked._running
    assert running
    await running
    first, second = await asked.result(), await asked.result()

    assert refused.value.retry_after == 10
    assert first is second
    assert first[0].checked == 2_000


async def test_a_server_that_stops_ends_its_verification(parts: Parts, owner: Any) -> None:
    await generate(owner, 20_000)
    asked = verification(parts)
    waiting = asyncio.create_task(asked.result())
    await asyncio.sleep(0)
    assert asked._running

    await asked.close()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert asked._running is None


async def test_verification_keeps_no_other_request_waiting(
    api: aiohttp.ClientSession, parts: Parts, tools: Tools
) -> None:
    for _ in range(5):
        await note(tools.database, *["user.created"] * 2_000)
        await seal(tools.database, limit=2_000)
    asked = asyncio.create_task(verification(parts).result())
    turns = []

    with garbage_of_others_apart():
        while not asked.done():
            # A share of this thread's work: no machine is slow or busy in only a part of it.
            began = time.thread_time()
            await asyncio.sleep(0)
            turns.append(time.thread_time() - began)

    assert (await asked)[0].checked == 10_000
    assert max(turns) < sum(turns) / 4, (max(turns), sum(turns))
