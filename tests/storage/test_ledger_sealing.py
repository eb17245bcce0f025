"""Sealing: nothing that stands in the inbox keeps other events out of the chain."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from ops.ids import new_id
from ops.stack import Addresses
from storage.ledger.verify import verify
from tests.conftest import MakeSettings
from tests.storage.sealed_ledger import BATCH, ROWS, opened
from tests.storage.trail import found, note, seal
from workers.toolbox import Tools

_INSERT = """
INSERT INTO audit_inbox (id, action, outcome, actor_kind, address, request_id, facts, happened_at)
VALUES ($1, $2, 'success', $3, $4, $5, $6::jsonb, $7::timestamptz)
"""
_GIVEN: dict[str, Any] = {
    "action": "user.changed",
    "actor_kind": "user",
    "address": "203.0.113.9",
    "request_id": "req_1",
    "facts": "{}",
    "happened_at": datetime.fromisoformat("2026-11-21T12:00Z"),
}


@pytest.fixture
async def as_api(addresses: Addresses, clean: None) -> AsyncIterator[Any]:
    """Give a connection of the API's role, past all our code."""
    connection = await asyncpg.connect(addresses.database_url)
    yield connection
    await connection.close()


async def insert(connection: Any, *, event_id: UUID | None = None, **given: Any) -> None:
    await connection.execute(_INSERT, event_id or new_id(), *(_GIVEN | given).values())


async def sealed_between(tools: Tools) -> list[dict[str, Any]]:
    """Seal with an event before and one after; return the facts of what is sealed, in order."""
    await note(tools.database, "user.created", last=True)
    while await seal(tools.database, limit=100):
        pass
    verdict = await verify(tools.database, tools.keys)
    assert verdict.valid, verdict
    events = await found(tools.database, descending=False)
    assert all(event.sealed for event in events)
    return [dict(event.facts) for event in events]


@pytest.mark.parametrize(
    "given",
    [
        {"facts": '"x"'},
        {"facts": "[]"},
        {"facts": "null"},
        {"facts": json.dumps({"long": "x" * 65_536})},
        {"action": "x" * 3_000},
        {"actor_kind": "x" * 3_000},
        {"address": "x" * 3_000},
        {"request_id": "x" * 3_000},
        {"happened_at": datetime.min.replace(tzinfo=UTC)},
    ],
    ids=lambda given: str(given)[:20],
)
async def test_what_could_not_be_sealed_is_refused_where_it_is_written(
    as_api: Any, given: dict[str, Any]
) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="audit_inbox_can_be_sealed"):
        await insert(as_api, **given)


async def test_the_longest_texts_that_may_be_written_are_sealed(as_api: Any, tools: Tools) -> None:
    # Random ones, since an index packs what repeats itself.
    letters = "".join(chr(0x4E00 + byte) for _ in range(40) for byte in new_id().bytes)
    given = {"action": 200, "actor_kind": 40, "address": 256, "request_id": 512}
    await insert(as_api, **{name: letters[:most] for name, most in given.items()})

    assert await sealed_between(tools) == [{}, {"last": True}]


@pytest.mark.parametrize(
    "facts",
    [
        '{"number": 1.5}',
        '{"nested": {"a": [1]}}',
        '{"nothing": null}',
        '{"\u00e6": "name"}',
        f'{{"number": {2**53}}}',
        f'{{"number": {"9" * 500}}}',
        f'{{"deep": {"[" * 2_000}{"]" * 2_000}}}',
    ],
    ids=lambda facts: facts[:16],
)
async def test_facts_without_one_form_are_sealed_as_one_text(
    as_api: Any, tools: Tools, facts: str
) -> None:
    await insert(as_api, facts=facts)

    odd, last = await sealed_between(tools)

    assert odd == {"facts_as_text": facts}
    assert last == {"last": True}


@pytest.mark.parametrize("erased", [True, False])
async def test_an_event_with_the_id_of_a_sealed_one_is_sealed_under_another(
    as_api: Any, owner: Any, tools: Tools, erased: Any
) -> None:
    await note(tools.database, "user.created", address="192.0.2.1")
    await seal(tools.database)
    (first,) = await found(tools.database)
    if erased:
        await owner.execute("DELETE FROM audit_personal")

    await insert(as_api, event_id=first.id, facts='{"number": 1}')

    told = await sealed_between(tools)
    assert told == [{}, {"last": True}, {"noted_as": str(first.id), "number": 1}]
    assert len({event.id for event in await found(tools.database)}) == 3
    async with tools.database.reading() as storage:
        again = await storage.trail.by_id(first.id)
    assert again.address == (None if erased else "192.0.2.1")


async def test_an_event_does_not_meet_the_personal_data_of_one_that_is_gone(
    as_api: Any, owner: Any, tools: Tools
) -> None:
    event_id = new_id()
    await owner.execute(
        "INSERT INTO audit_personal (event_id, salt, address) VALUES ($1, '', '192.0.2.1')",
        event_id,
    )

    await insert(as_api, event_id=event_id)

    assert {"noted_as": str(event_id)} in await sealed_between(tools)


async def test_a_row_is_never_sealed_before_the_one_it_follows(
    addresses: Addresses, make_settings: MakeSettings, migrated: None
) -> None:
    async with opened(addresses.migration_database_url, make_settings().keyring) as ledger:
        # As if the clock had been ahead.
        await ledger.execute("UPDATE audit_ledger SET sealed_at = now() + interval '9 days'")
        await ledger.write_anew(1)
        await ledger.sign_anew(ledger.keys)
        await ledger.seal(BATCH)
        verdict = await ledger.verdict()
        times = await ledger.connection.fetch(
            "SELECT sealed_at FROM audit_ledger ORDER BY sequence"
        )

    assert (verdict.valid, verdict.checked) == (True, ROWS + BATCH), verdict
    assert times[-1]["sealed_at"] == times[0]["sealed_at"]


async def test_a_row_that_was_moved_to_the_end_of_time_does_not_hold_those_after_it(
    addresses: Addresses, make_settings: MakeSettings, migrated: None
) -> None:
    async with opened(addresses.migration_database_url, make_settings().keyring) as ledger:
        await ledger.execute("UPDATE audit_ledger SET sealed_at = 'infinity'")
        await ledger.seal(BATCH)
        newest = await ledger.connection.fetchrow(
            "SELECT sealed_at, clock_timestamp() AS now FROM audit_ledger"
            " ORDER BY sequence DESC LIMIT 1"
        )

    assert newest["now"] - newest["sealed_at"] < timedelta(minutes=1)
