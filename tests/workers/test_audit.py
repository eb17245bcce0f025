"""The audit ledger's worker: it seals what is noted, leaves witnesses outside, keeps its months."""

import asyncio
import io
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ops.ids import new_id
from ops.logging import set_up
from storage.jobs import ExportCheckpoint, KeepAuditMonths, SealAudit, VerifyAudit
from storage.ledger.verify import Verdict, verify
from storage.ledger.witness import Witness
from storage.outbox import Promise
from tests.commands import run
from tests.conftest import MakeSettings
from tests.nursery import Forking
from tests.workers.conftest import Hold, Put
from workers.audit import export_checkpoint, keep_audit_months, seal_audit, verify_audit
from workers.broker import Broker
from workers.relay import Relay
from workers.toolbox import Tools


@pytest.fixture
def own_tools(tools: Tools, make_settings: MakeSettings, tmp_path: Path) -> Tools:
    """Give tools whose state folder is the test's own, and that keep a month of the ledger."""
    settings = make_settings(ostiary_home=str(tmp_path), audit_retention="30d")
    return replace(tools, settings=settings)


@pytest.fixture
def log(own_tools: Tools) -> Iterator[io.StringIO]:
    """Give what is logged."""
    output = io.StringIO()
    set_up(own_tools.settings, process="test", output=output)
    yield output
    set_up(own_tools.settings, process="test")


@pytest.fixture
async def promise(put: Put, hold: Hold) -> Promise:
    """Claim a job as a worker does."""
    return await hold(await put(SealAudit(), handed_over=True))


async def note(tools: Tools, count: int = 1) -> None:
    """Note so many events."""
    async with tools.database.transaction() as storage:
        for _ in range(count):
            await storage.audit.note("user.changed", subject=new_id())


async def found(tools: Tools) -> Verdict:
    """Verify the ledger against what is kept outside."""
    return await verify(tools.database, tools.keys, Witness(tools.settings.home).kept())


async def test_the_inbox_is_sealed_until_it_is_empty(
    own_tools: Tools, owner: Any, promise: Promise
) -> None:
    await note(own_tools, 4_100)

    await seal_audit(SealAudit(), promise, own_tools)
    await seal_audit(SealAudit(), promise, own_tools)

    assert await owner.fetchval("SELECT count(*) FROM audit_inbox") == 0
    assert (await found(own_tools)).checked == 4_100


async def test_the_relay_promises_one_sealing_and_none_for_an_empty_inbox(
    tools: Tools, owner: Any, broker: Broker
) -> None:
    relay = Relay(tools, broker)
    sealings = "SELECT count(*) FROM outbox WHERE name = 'audit.seal'"

    await relay.promise_seal()
    assert await owner.fetchval(sealings) == 0

    await note(tools)
    for _ in range(5):
        await relay.promise_seal()
    assert await owner.fetchval(sealings) == 1

    await owner.execute("UPDATE outbox SET state = 'done', finished_at = now()")
    await relay.promise_seal()
    assert await owner.fetchval(sealings) == 2


async def test_a_witness_outside_tells_of_a_tail_cut_off_with_its_checkpoints(
    own_tools: Tools, owner: Any, promise: Promise
) -> None:
    await note(own_tools, 3)
    await seal_audit(SealAudit(), promise, own_tools)
    await export_checkpoint(ExportCheckpoint(), promise, own_tools)
    await export_checkpoint(ExportCheckpoint(), promise, own_tools)
    assert [item.sequence for item in Witness(own_tools.settings.home).kept()] == [3]

    await owner.execute("DELETE FROM audit_ledger WHERE sequence > 1")
    await owner.execute("DELETE FROM audit_checkpoints")

    verdict = await found(own_tools)
    assert (verdict.valid, verdict.first_broken) == (False, 1)


async def test_a_witness_with_a_line_cut_by_a_crash_is_read_and_goes_on(
    own_tools: Tools, promise: Promise
) -> None:
    await note(own_tools)
    await seal_audit(SealAudit(), promise, own_tools)
    witness = own_tools.settings.home / "audit-checkpoints.jsonl"
    witness.write_text('{"sequence": 7, "ha')

    await export_checkpoint(ExportCheckpoint(), promise, own_tools)

    assert [item.sequence for item in Witness(own_tools.settings.home).kept()] == [1]


@pytest.mark.parametrize(
    "line",
    ['{"sequence": 1e999, "hash": "00", "key": "k1", "signature": "00"}', "[" * 100_000, "[]", "7"],
    ids=lambda line: line[:16],
)
async def test_a_line_that_is_no_checkpoint_keeps_nobody_from_reading_the_others(
    own_tools: Tools, promise: Promise, line: str
) -> None:
    await note(own_tools)
    await seal_audit(SealAudit(), promise, own_tools)
    (own_tools.settings.home / "audit-checkpoints.jsonl").write_text(f"{line}\n")
    await export_checkpoint(ExportCheckpoint(), promise, own_tools)

    await verify_audit(VerifyAudit(), promise, own_tools)

    assert [item.sequence for item in Witness(own_tools.settings.home).kept()] == [1]
    assert own_tools.metrics.registry.get_sample_value("ostiary_audit_chain_valid") == 1


async def test_a_witness_that_somebody_else_wrote_to_goes_on_and_shows_it(
    own_tools: Tools, promise: Promise
) -> None:
    witness = own_tools.settings.home / "audit-checkpoints.jsonl"
    forged = {"sequence": 10**15, "hash": "00", "key": own_tools.keys.writer, "signature": "00"}
    witness.write_text(json.dumps(forged) + "\n")
    await note(own_tools)
    await seal_audit(SealAudit(), promise, own_tools)

    await export_checkpoint(ExportCheckpoint(), promise, own_tools)

    kept = Witness(own_tools.settings.home).kept()
    assert [item.sequence for item in kept] == [10**15, 1]
    verdict = await found(own_tools)
    assert (verdict.valid, verdict.first_broken) == (False, 10**15)


async def test_a_daily_verification_names_the_broken_row_in_log_and_metrics(
    own_tools: Tools, owner: Any, promise: Promise, log: io.StringIO
) -> None:
    def told(name: str) -> float:
        return own_tools.metrics.registry.get_sample_value(name) or 0.0

    await note(own_tools, 5)
    await seal_audit(SealAudit(), promise, own_tools)
    started = time.time()

    await verify_audit(VerifyAudit(), promise, own_tools)
    assert told("ostiary_audit_chain_valid") == 1
    assert told("ostiary_audit_verified_timestamp_seconds") >= started

    await owner.execute("UPDATE audit_ledger SET action = 'x.y' WHERE sequence = 4")
    await verify_audit(VerifyAudit(), promise, own_tools)
    assert told("ostiary_audit_chain_valid") == 0
    line = json.loads(log.getvalue().splitlines()[-1])
    assert (line["level"], line["row"], line["reason"]) == ("error", 4, "it was changed")


async def test_the_lag_is_the_age_of_the_oldest_event_that_waits(
    own_tools: Tools, promise: Promise
) -> None:
    async def lag() -> float:
        async with own_tools.database.reading() as storage:
            return await storage.audit.lag()

    assert await lag() == 0
    await note(own_tools)
    await asyncio.sleep(0.05)
    await note(own_tools)
    assert 0.05 <= await lag() < 5

    await seal_audit(SealAudit(), promise, own_tools)

    assert await lag() == 0


async def test_months_are_made_ahead_and_old_ones_go_with_the_chain_still_valid(
    own_tools: Tools, owner: Any, promise: Promise
) -> None:
    await note(own_tools, 5)
    await seal_audit(SealAudit(), promise, own_tools)
    # As if they had been sealed two years ago: moved into a month of their own.
    await owner.execute("SELECT make_audit_partition('2024-01-15')")
    await owner.execute("UPDATE audit_ledger SET sealed_at = '2024-01-15Z'")
    now = datetime.now(UTC)
    assert not (await found(own_tools)).valid  # that is tampering, to everybody but this test

    await keep_audit_months(KeepAuditMonths(), promise, own_tools)
    await seal_audit(SealAudit(), promise, own_tools)

    verdict = await found(own_tools)
    assert (verdict.valid, verdict.checked) == (True, 1), verdict
    assert await owner.fetchval("SELECT count(*) FROM audit_personal") == 1
    for ahead in range(4):
        month = (now.month - 1 + ahead) % 12 + 1
        year = now.year + (now.month - 1 + ahead) // 12
        name = f"audit_ledger_{year}{month:02}"
        assert await owner.fetchval("SELECT to_regclass($1) IS NOT NULL", name), name


async def test_the_command_tells_whether_and_where_the_ledger_was_touched(
    own_tools: Tools, owner: Any, promise: Promise, environ: dict[str, str], forking: Forking
) -> None:
    await note(own_tools, 5)
    await seal_audit(SealAudit(), promise, own_tools)
    own = environ | {"OSTIARY_HOME": str(own_tools.settings.home)}

    async def told(*options: str) -> tuple[int, str]:
        code, text, _ = await run(forking, "storage", "audit", "verify", *options, environ=own)
        return code, text.strip()

    assert await told() == (0, "valid: 5 rows up to 5")
    await owner.execute("UPDATE audit_ledger SET action = 'x.y' WHERE sequence = 4")
    assert await told() == (1, "BROKEN at row 4: it was changed")
    code, text = await told("--json")
    assert (code, json.loads(text)["firstBroken"]) == (1, 4)
