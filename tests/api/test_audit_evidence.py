"""Rows that were changed by force can be searched, read and exported: they are the evidence."""

import csv
import io
import json
from typing import Any

import aiohttp
import pytest

from tests.factories import bearer
from tests.people import Person, admin, call
from tests.storage.trail import note, seal
from workers.toolbox import Tools

_DEEP = f'{{"deep": {"[" * 600}{"]" * 600}}}'
_FORCED = {
    "facts = '[]'": {"facts_as_text": "[]"},
    "facts = '\"x\"'": {"facts_as_text": '"x"'},
    "facts = '{\"number\": 1.5}'": {"number": 1.5},
    "facts = jsonb_build_object('n', repeat('9', 500)::numeric)": {
        "facts_as_text": f'{{"n": {"9" * 500}}}'
    },
    f"facts = '{_DEEP}'": {"facts_as_text": _DEEP},
    "happened_at = '0044-03-15 BC'": {"number": 2},
    "happened_at = 'infinity'": {"number": 2},
    "sealed_at = '0044-03-15 BC'": {"number": 2},
    "sealed_at = 'infinity'": {"number": 2},
}


@pytest.fixture
async def boss(api: aiohttp.ClientSession, owner: Any) -> Person:
    """Register an administrator, and forget that they did."""
    who = await admin(api, owner)
    await owner.execute("DELETE FROM audit_inbox")
    return who


async def exported(api: aiohttp.ClientSession, who: Person, form: str) -> str:
    url = f"/api/v1/audit/export?format={form}"
    async with api.get(url, headers=bearer(who)) as answer:
        return await answer.text()


@pytest.mark.parametrize("change", _FORCED, ids=lambda change: change[:24])
async def test_a_row_changed_by_force_is_shown_as_it_stands(
    api: aiohttp.ClientSession, boss: Person, tools: Tools, owner: Any, change: str
) -> None:
    for number in (1, 2, 3):
        await note(tools.database, "user.changed", number=number)
    await seal(tools.database)
    await owner.execute(f"UPDATE audit_ledger SET {change} WHERE sequence = 2")  # noqa: S608

    status, listed = await call(api, boss, "GET", "/audit?filter[action]=user.changed")
    one, event = await call(api, boss, "GET", f"/audit/{listed['data'][1]['id']}")
    lines = [json.loads(line) for line in (await exported(api, boss, "jsonl")).splitlines()]
    text = await exported(api, boss, "csv")
    cells = list(csv.DictReader(io.StringIO(text, newline="")))
    _, verdict = await call(api, boss, "GET", "/audit/verify")

    assert (status, one) == (200, 200), (listed, event)
    shown = [event["data"]["facts"], lines[1]["event"]["facts"], json.loads(cells[1]["facts"])]
    assert shown == [_FORCED[change]] * 3
    assert [line["event"]["sequence"] for line in lines] == [1, 2, 3]
    assert [row["sequence"] for row in cells] == ["1", "2", "3"]
    assert verdict["data"]["firstBroken"] == 2
