"""docs/audit-verification.md: its very commands verify a real export, and refuse a touched one."""

import json
import re
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ops.ids import new_id
from ops.stack import Addresses
from storage.ledger import Notary
from storage.ledger.exporting import export_line
from storage.ledger.keys import told
from storage.ledger.repository import DROPPED
from storage.ledger.witness import Witness
from tests.conftest import MakeSettings
from tests.storage.sealed_ledger import BATCH, ROWS, SealedLedger, opened

_PAGE = Path(__file__).parents[2] / "docs" / "audit-verification.md"
_BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
async def ledger(
    addresses: Addresses, make_settings: MakeSettings, migrated: None
) -> AsyncIterator[SealedLedger]:
    """Give one ledger to all tests, with words of many scripts, and one person erased."""
    async with opened(addresses.migration_database_url, make_settings().keyring) as sealed:
        async with sealed.database.transaction() as storage:
            await storage.audit.note("role.created", subject=new_id(), name='Ærø "\U0001f600"\x1f')
        await sealed.seal(0)
        await sealed.execute(
            "DELETE FROM audit_personal WHERE event_id = (SELECT id"
            " FROM audit_ledger WHERE sequence = 5)"
        )
        yield sealed


async def export(ledger: SealedLedger, folder: Path) -> list[dict[str, Any]]:
    """Write the three files an auditor has; return the lines of the export."""
    start = datetime.min.replace(tzinfo=UTC)
    rows = await ledger.storage.ledger.rows(0, start, end=10**9, limit=10**6)
    text = b"".join(map(export_line, rows))
    (folder / "audit.jsonl").write_bytes(text)
    (folder / "audit-keys.json").write_text(told(ledger.keys))
    for checkpoint in await ledger.checkpoints():
        Witness(folder).keep(checkpoint)
    return [json.loads(line) for line in text.splitlines()]


def blocks(language: str) -> list[str]:
    return [text for name, text in _BLOCK.findall(_PAGE.read_text()) if name == language]


def run(folder: Path) -> tuple[int, str]:
    """Do what the page says; return how it ended and what it said."""
    [script] = blocks("python")
    (folder / "verify.py").write_text(script)
    done = subprocess.run(
        ["bash", "-ec", blocks("bash")[1]], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def first_row(folder: Path) -> list[str]:
    """Return what the page's command for one row says."""
    command = ["bash", "-ec", blocks("bash")[0]]
    return subprocess.check_output(command, cwd=folder, text=True).splitlines()


def write(folder: Path, lines: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (folder / "audit.jsonl").write_text(text)


async def test_a_real_export_is_valid(ledger: SealedLedger, tmp_path: Path) -> None:
    await export(ledger, tmp_path)

    last = ROWS + 1
    assert run(tmp_path) == (0, f"valid: rows 1 to {last}, signed up to {last}")


async def test_one_row_can_be_hashed_by_hand(ledger: SealedLedger, tmp_path: Path) -> None:
    await export(ledger, tmp_path)

    by_hand, written = first_row(tmp_path)

    assert by_hand.split()[0] == written


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines[7]["event"].update(action="x.y"), "row 8 was changed"),
        (lambda lines: lines[7].update(address="192.0.2.1"), "the personal data of row 8"),
        (lambda lines: lines.pop(7), "row 8 is missing"),
        (lambda lines: lines.insert(7, lines[3]), "row 8 is missing"),
        (lambda lines: lines.pop(), f"row {ROWS + 1} is missing"),
        (lambda lines: lines.pop(0), "rows 1 to 1 are missing"),
        (lambda lines: lines.clear(), "row 1 is missing"),
    ],
)
async def test_a_touched_export_is_refused_by_its_row(
    ledger: SealedLedger, tmp_path: Path, change: Any, said: str
) -> None:
    lines = await export(ledger, tmp_path)
    change(lines)
    write(tmp_path, lines)

    code, text = run(tmp_path)

    assert code == 1
    assert text.startswith(said), text


async def test_a_forged_checkpoint_is_refused(ledger: SealedLedger, tmp_path: Path) -> None:
    await export(ledger, tmp_path)
    witness = tmp_path / "audit-checkpoints.jsonl"
    first = json.loads(witness.read_text().splitlines()[0])
    witness.write_text(json.dumps(first | {"hash": "00" * 32}) + "\n")

    assert run(tmp_path) == (1, f"the checkpoint of row {BATCH} was not signed by us")


async def test_an_export_whose_older_months_were_dropped_is_valid(
    ledger: SealedLedger, tmp_path: Path
) -> None:
    transaction = ledger.connection.transaction()
    await transaction.start()
    row_hash = await ledger.hash_of(BATCH)
    assert row_hash
    released = Notary(ledger.keys).release(BATCH, row_hash)
    async with ledger.database.transaction() as storage:
        await storage.audit.note(DROPPED, month="2026-01-01", **released.shown())
    await ledger.seal(0)
    await ledger.execute("DELETE FROM audit_ledger WHERE sequence <= $1", BATCH)
    await export(ledger, tmp_path)
    await transaction.rollback()

    code, text = run(tmp_path)

    assert (code, text.split(" to ")[0]) == (0, f"valid: rows {BATCH + 1}"), text
