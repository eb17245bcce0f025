"""Everything that matches a search, in batches: an export holds no transaction while it is sent."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from storage.database import Database
from storage.ledger.search import Ends, Place
from storage.pages import Window

Batches = AsyncGenerator[Sequence[Any], None]

_BATCH = 1_000
# Rows of the chain that one statement looks at: what matches may be rare.
_STRIDE = 50_000

_BEGINNING = Place(0, datetime.min.replace(tzinfo=UTC), UUID(int=0))


async def batches(database: Database, window: Window) -> Batches:
    """Give what matches and is there now: the chain in its order; with `sealed` false what waits.

    Rows carry what it takes to hash them again. Each batch is read by itself. An event
    that waits and is sealed meanwhile is left out.
    """
    async with database.reading() as storage:
        ends = await storage.trail.ends()
    walk = _waiting if window.filters.get("sealed") is False else _sealed
    async with aclosing(walk(database, window, ends)) as found:
        async for batch in found:
            yield batch


async def _sealed(database: Database, window: Window, ends: Ends) -> Batches:
    if ends.first is None or ends.last is None:
        return
    after = Place(ends.first - 1, _BEGINNING.sealed_at, _BEGINNING.id)
    while after.sequence < ends.last:
        through = min(after.sequence + _STRIDE, ends.last)
        async with database.reading() as storage:
            rows = await storage.trail.sealed_batch(window, after, through=through, limit=_BATCH)
        if rows:
            yield rows
        if len(rows) == _BATCH:
            after = Place(rows[-1]["sequence"], rows[-1]["sealed_at"], _BEGINNING.id)
        else:
            after = Place(through, datetime.max.replace(tzinfo=UTC), _BEGINNING.id)


async def _waiting(database: Database, window: Window, ends: Ends) -> Batches:
    after = _BEGINNING
    while ends.newest is not None:
        async with database.reading() as storage:
            rows = await storage.trail.waiting_batch(
                window, after, through=ends.newest, limit=_BATCH
            )
        if rows:
            yield rows
            after = Place(0, _BEGINNING.sealed_at, rows[-1]["id"])
        if len(rows) < _BATCH:
            return
