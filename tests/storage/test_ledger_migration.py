"""An inbox in which something stands that nobody can seal is brought up to date, and back."""

from typing import Any

import asyncpg
import pytest

from ops.settings import Settings
from storage.migrate import Migrator, read

_VERSION = "20261121160000"
_ODD = """
INSERT INTO audit_inbox (id, action, outcome, actor_kind, address, request_id, facts, happened_at)
VALUES ('01935000-0000-7000-8000-000000000001', 'user.created', 'success', 'user', NULL, NULL,
        '{"ok": true}', '2026-11-21Z'),
    ('01935000-0000-7000-8000-000000000002', repeat('x', 3000), 'success', repeat('x', 3000),
        repeat('x', 3000), repeat('x', 3000), '["x"]', 'infinity'),
    ('01935000-0000-7000-8000-000000000003', 'user.created', 'success', 'user', NULL, NULL,
        jsonb_build_object('x', repeat('x', 70000)), '0044-03-15 BC')
"""


async def test_what_waits_and_could_never_be_sealed_is_made_such_that_it_can(
    fresh: Any, settings: Settings
) -> None:
    earlier = [item for item in read() if item.version < _VERSION]
    async with Migrator.connect(settings, earlier) as migrator:
        await migrator.up()
    await fresh.execute(_ODD)

    async with Migrator.connect(settings) as migrator:
        await migrator.up()

    rows = await fresh.fetch(
        "SELECT action, facts, length(facts::text) AS size, happened_at::text AS time"
        " FROM audit_inbox ORDER BY id"
    )
    assert [row["facts"] for row in rows[:2]] == ['{"ok": true}', '{"facts_as_text": "[\\"x\\"]"}']
    assert rows[0]["action"] == "user.created"
    assert [row["time"][:4] for row in rows] == ["2026", "9998", "0002"]
    assert rows[2]["size"] < 65_536
    with pytest.raises(asyncpg.CheckViolationError):
        await fresh.execute("UPDATE audit_inbox SET facts = '[]'")


async def test_months_with_rows_stay_and_are_made_and_dropped_as_before_after_the_way_back(
    fresh: Any, settings: Settings
) -> None:
    through = [item for item in read() if item.version <= _VERSION]
    async with Migrator.connect(settings, through) as migrator:
        await migrator.up()
        await fresh.execute("SELECT make_audit_partition('2021-01-01')")
        await fresh.execute(
            """INSERT INTO audit_ledger (sequence, id, action, outcome, actor_kind, facts,
                happened_at, personal_hash, previous_hash, hash, sealed_at)
            VALUES (1, '01935000-0000-7000-8000-000000000001', 'user.created', 'success', 'user',
                '{}', now(), '', '', '', '2021-01-15Z')"""
        )
        await migrator.down()

    assert await fresh.fetchval("SELECT count(*) FROM audit_ledger_202101") == 1
    assert await fresh.fetchval("SELECT make_audit_partition('2021-02-01')")
    await fresh.execute("INSERT INTO audit_checkpoints VALUES (1, '', 'k1', '')")
    assert await fresh.fetchval("SELECT drop_audit_partition('2021-01-01')") == 1
