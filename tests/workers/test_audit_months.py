"""Months of the ledger: rows that came to lie in none, big ones that go, and what stays valid."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from ops.metrics import Metrics
from ops.stack import Addresses
from storage.database import Database
from storage.jobs import KeepAuditMonths, SealAudit
from storage.ledger.verify import Verdict, verify
from storage.outbox import Promise
from storage.repositories import Storage
from tests.conftest import MakeSettings
from tests.storage.sealed_ledger import SealedLedger
from tests.workers.conftest import Hold, Put
from workers.audit import keep_audit_months, seal_audit
from workers.toolbox import Tools

_MONTH, _NEXT = date(2021, 1, 1), date(2021, 2, 1)
_ROWS = 20  # in each of both, a checkpoint each five
_LIES = "SELECT DISTINCT tableoid::regclass::text FROM audit_ledger WHERE sequence <= 40 ORDER BY 1"
_INDEXES = "SELECT count(*) FROM pg_index WHERE indrelid = $1::text::regclass"


@pytest.fixture
def own_tools(tools: Tools, make_settings: MakeSettings, tmp_path: Path) -> Tools:
    """Give tools whose state folder is the test's own, and that keep the ledger for ever."""
    return replace(tools, settings=make_settings(ostiary_home=str(tmp_path), audit_retention="0"))


@pytest.fixture
async def promise(put: Put, hold: Hold) -> Promise:
    """Claim the job as a worker does."""
    return await hold(await put(KeepAuditMonths(), handed_over=True))


@pytest.fixture
async def in_rest(
    tools: Tools, addresses: Addresses, make_settings: MakeSettings, owner: Any
) -> AsyncIterator[None]:
    """Seal two months as if in their time, when nobody had made their partitions."""
    url, keys = addresses.migration_database_url, make_settings().keyring
    assert url
    for name in ("audit_ledger_202101", "audit_ledger_202102"):
        await owner.execute(f"DROP TABLE IF EXISTS {name}")
    database = await Database.open(url, keys=keys, metrics=Metrics(), name="test", pool_size=1)
    async with database._connection() as connection, connection.transaction():
        ledger = SealedLedger(connection, keys, database, Storage(connection, keys, None))
        for month in (_MONTH, _NEXT):
            await ledger.seal(_ROWS, batch=5)
            await ledger.execute(
                "UPDATE audit_ledger SET sealed_at = $1 WHERE sealed_at > '2022-01-01Z'",
                datetime(month.year, month.month, 15, tzinfo=UTC),
            )
        await ledger.write_anew(1)
        await ledger.sign_anew(keys)
    yield
    await database.close()


def keeping(tools: Tools, make_settings: MakeSettings, days: str) -> Tools:
    """Let retention be as long."""
    home = str(tools.settings.home)
    return replace(tools, settings=make_settings(ostiary_home=home, audit_retention=days))


async def found(tools: Tools) -> Verdict:
    return await verify(tools.database, tools.keys)


async def test_rows_without_a_month_move_into_theirs_and_stay_valid(
    own_tools: Tools, owner: Any, promise: Promise, in_rest: None
) -> None:
    assert [row[0] for row in await owner.fetch(_LIES)] == ["audit_ledger_rest"]

    await keep_audit_months(KeepAuditMonths(), promise, own_tools)

    lies = [row[0] for row in await owner.fetch(_LIES)]
    assert lies == ["audit_ledger_202101", "audit_ledger_202102"]
    verdict = await found(own_tools)
    assert (verdict.valid, verdict.checked) == (True, 2 * _ROWS), verdict
    counts = [await owner.fetchval(_INDEXES, name) for name in (*lies, "audit_ledger_rest")]
    assert len(set(counts)) == 1


async def test_this_months_rows_that_lie_in_none_move_and_sealing_goes_on_there(
    own_tools: Tools, owner: Any, promise: Promise
) -> None:
    today = datetime.now(UTC)
    name = f"audit_ledger_{today:%Y%m}"
    await owner.execute(f"DROP TABLE {name}")
    for _ in range(2):
        async with own_tools.database.transaction() as storage:
            await storage.audit.note("user.changed")
        await seal_audit(SealAudit(), promise, own_tools)
        await keep_audit_months(KeepAuditMonths(), promise, own_tools)

    assert [row[0] for row in await owner.fetch(_LIES)] == [name]
    assert (await found(own_tools)).checked == 2


async def test_a_month_that_lay_in_the_rest_is_dropped_like_any_other(
    own_tools: Tools, owner: Any, make_settings: MakeSettings, promise: Promise, in_rest: None
) -> None:
    short = keeping(own_tools, make_settings, "30d")

    await keep_audit_months(KeepAuditMonths(), promise, short)

    assert await owner.fetchval("SELECT count(*) FROM audit_ledger") == 0
    assert await owner.fetchval("SELECT count(*) FROM audit_personal") == 0
    verdict = await found(short)
    assert (verdict.valid, verdict.checked) == (True, 0), verdict
    await seal_audit(SealAudit(), promise, short)
    verdict = await found(short)
    assert (verdict.valid, verdict.checked) == (True, 2), verdict


async def test_a_month_is_old_when_its_last_day_is_and_the_oldest_goes_first(
    tools: Tools, owner: Any
) -> None:
    for month in (_NEXT, _MONTH):
        await owner.execute("SELECT make_audit_partition($1)", month)
    over = (datetime.now(UTC) - datetime(2021, 3, 1, tzinfo=UTC)).days

    async with tools.database.reading() as storage:
        both = await storage.ledger.old_months(days=over)
        first = await storage.ledger.old_months(days=over + 1)

    assert both == [_MONTH, _NEXT]
    assert first == [_MONTH]


async def test_checkpoints_go_with_their_months_save_the_one_that_the_chain_goes_on_from(
    own_tools: Tools, owner: Any, make_settings: MakeSettings, promise: Promise, in_rest: None
) -> None:
    short = keeping(own_tools, make_settings, "30d")
    await keep_audit_months(KeepAuditMonths(), promise, short)
    await seal_audit(SealAudit(), promise, short)

    await keep_audit_months(KeepAuditMonths(), promise, short)

    left = await owner.fetch("SELECT sequence FROM audit_checkpoints ORDER BY sequence")
    assert [row["sequence"] for row in left] == [2 * _ROWS, 2 * _ROWS + 2]
    assert (await found(short)).valid


async def test_personal_data_of_a_month_go_in_batches_before_it(
    own_tools: Tools, owner: Any, promise: Promise, in_rest: None
) -> None:
    await keep_audit_months(KeepAuditMonths(), promise, own_tools)
    left, last, counts = [], 0, []

    while True:
        async with own_tools.database.reading() as storage:
            after, count = await storage.ledger.erase_month(_MONTH, after=last, limit=8)
        if after is None:
            break
        last = after
        counts.append(count)
        left.append(await owner.fetchval("SELECT count(*) FROM audit_personal"))

    assert (counts, left) == ([8, 8, 4], [32, 24, 20])
    assert (await found(own_tools)).valid


async def test_a_month_does_not_go_while_its_personal_data_are_there_and_tells_how_far_it_is(
    own_tools: Tools, owner: Any, make_settings: MakeSettings, promise: Promise, in_rest: None
) -> None:
    await keep_audit_months(KeepAuditMonths(), promise, own_tools)
    async with own_tools.database.reading() as storage:
        await storage.ledger.erase_month(_MONTH, after=0, limit=_ROWS - 1)

    async with own_tools.database.reading() as storage:
        with pytest.raises(asyncpg.RaiseError, match="personal data"):
            await storage.ledger.drop_month(_MONTH)

    await keep_audit_months(KeepAuditMonths(), promise, keeping(own_tools, make_settings, "30d"))
    progress = "SELECT progress_done FROM outbox WHERE id = $1"
    assert await owner.fetchval(progress, promise.id) == 2 * _ROWS
    assert await owner.fetchval("SELECT count(*) FROM audit_personal") == 0
