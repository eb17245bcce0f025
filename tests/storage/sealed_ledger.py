"""A ledger of two months on one connection, to be tampered with and rolled back."""

import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ops.crypto import KeyRing, SecretKey
from ops.ids import new_id
from ops.metrics import Metrics
from storage.actor import Actor, ActorKind
from storage.database import Database
from storage.ledger import Checkpoint, Notary
from storage.ledger.chain import sealed_of
from storage.ledger.verify import Verdict, verify
from storage.repositories import Storage

# Somebody else's, under the same name.
FOREIGN = KeyRing([SecretKey("k1", b"2" * 32)])
MONTH = 44  # rows of the month before; the next ones are this month's
ROWS = 88
BATCH = 11  # what one checkpoint signs

Chance = random.Random
_SEED = int(os.environ.get("LEDGER_SEED") or random.SystemRandom().randrange(2**32))
_EMPTY = (
    "DELETE FROM audit_inbox; DELETE FROM audit_ledger; DELETE FROM audit_personal;"
    " DELETE FROM audit_checkpoints"
)
_WRITE = """
UPDATE audit_ledger SET previous_hash = new.previous, hash = new.hash
FROM unnest($1::bigint[], $2::bytea[], $3::bytea[]) AS new (at, previous, hash)
WHERE sequence = new.at
"""


class _OneConnection:
    """A pool of one connection, whatever transaction it is in."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def acquire(self, *, timeout: float) -> Any:  # noqa: ARG002 - asyncpg's own word
        return nullcontext(self._connection)

    def get_size(self) -> int:
        return 1

    get_idle_size = get_max_size = get_size


@dataclass(frozen=True, slots=True)
class SealedLedger:
    """The ledger, and what an intruder or a worker does with it."""

    connection: Any
    keys: KeyRing
    database: Database
    storage: Storage

    async def execute(self, statement: str, *values: Any) -> None:
        """Do something to the tables, as their owner."""
        await self.connection.execute(statement, *values)

    async def verdict(self, *outside: Checkpoint) -> Verdict:
        """Verify, given what is kept outside."""
        return await verify(self.database, self.keys, outside)

    async def checkpoints(self) -> list[Checkpoint]:
        """Return those in the table."""
        newest_first = await self.storage.ledger.newest_checkpoints(0, 10**9, limit=10**6)
        return newest_first[::-1]

    async def hash_of(self, row: int) -> bytes | None:
        """Return the hash that stands in a row."""
        found: bytes | None = await self.connection.fetchval(
            "SELECT hash FROM audit_ledger WHERE sequence = $1", row
        )
        return found

    async def number(self, row: int, new: int) -> None:
        """Give a row another number."""
        await self.execute("UPDATE audit_ledger SET sequence = $2 WHERE sequence = $1", row, new)

    async def cut(self, first: int) -> None:
        """Delete a row, all after it, and their checkpoints."""
        await self.execute("DELETE FROM audit_ledger WHERE sequence >= $1", first)
        await self.cut_checkpoints(first)

    async def cut_checkpoints(self, first: int) -> None:
        """Delete the checkpoints of a row and all after it."""
        await self.execute("DELETE FROM audit_checkpoints WHERE sequence >= $1", first)

    async def seal(self, count: int, *, batch: int = BATCH) -> None:
        """Note so many events and seal them, as the worker does."""
        actor = Actor(kind=ActorKind.USER, id=new_id(), address="203.0.113.9", request_id="req_1")
        noting = Storage(self.connection, self.keys, actor)
        for number in range(count):
            await noting.audit.note("user.changed", subject=new_id(), number=number, ok=True)
        while await self.storage.ledger.seal(limit=batch):
            pass

    async def write_anew(self, first: int, through: int = 10**9) -> None:
        """Chain rows again as they now are, hashes fitting, like somebody who knows how."""
        start = datetime.min.replace(tzinfo=UTC)
        rows = await self.storage.ledger.rows(first - 1, start, end=through, limit=10**6)
        rows = [row for row in rows if row["sequence"] >= first]
        previous = await self.hash_of(first - 1)
        written = []
        for row in rows:
            fitting = replace(sealed_of(row), previous_hash=previous or bytes(32))
            written.append((row["sequence"], fitting.previous_hash, fitting.hash))
            previous = fitting.hash
        await self.execute(_WRITE, *map(list, zip(*written, strict=True)))

    async def sign_anew(self, keys: KeyRing, first: int = 1) -> None:
        """Sign the rows that have checkpoints again, as they now are."""
        notary = Notary(keys)
        for old in await self.checkpoints():
            row_hash = await self.hash_of(old.sequence)
            if old.sequence >= first and row_hash:
                await self.replace_checkpoint(notary.sign(old.sequence, row_hash))

    async def replace_checkpoint(self, new: Checkpoint) -> None:
        """Put one into the table, in place of that of its row."""
        await self.execute("DELETE FROM audit_checkpoints WHERE sequence = $1", new.sequence)
        await self.execute(
            "INSERT INTO audit_checkpoints (sequence, hash, key_id, signature)"
            " VALUES ($1, $2, $3, $4)",
            *(new.sequence, new.hash, new.key_id, new.signature),
        )


@asynccontextmanager
async def opened(url: str | None, keys: KeyRing) -> AsyncIterator[SealedLedger]:
    """Seal two months, the first as if it had been sealed in its time; nothing is committed."""
    assert url
    owner = await Database.open(url, keys=keys, metrics=Metrics(), name="test", pool_size=1)
    async with owner._connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        database = Database(_OneConnection(connection), keys=keys, metrics=Metrics())
        ledger = SealedLedger(connection, keys, database, Storage(connection, keys, None))
        await ledger.execute(_EMPTY)
        await ledger.seal(MONTH)
        before = datetime.now(UTC).replace(day=1) - timedelta(days=3)
        await ledger.execute("SELECT make_audit_partition($1::date)", before)
        await ledger.execute("UPDATE audit_ledger SET sealed_at = $1", before)
        await ledger.write_anew(1)
        await ledger.sign_anew(keys)
        await ledger.seal(ROWS - MONTH)
        yield ledger
        await transaction.rollback()
    await owner.close()


def signed_from(row: int, checkpoints: Sequence[Checkpoint]) -> int:
    """Return the first row at or after one that a checkpoint signs."""
    return min(item.sequence for item in checkpoints if item.sequence >= row)


def any_row(chance: Chance) -> int:
    """Return a row, any row."""
    return chance.randint(1, ROWS)


async def falsify(ledger: SealedLedger, row: int) -> None:
    """Make a row say something else."""
    await ledger.execute("UPDATE audit_ledger SET action = 'x.y' WHERE sequence = $1", row)


# Tampers; returns the row to be named and what is known outside the database.
Way = Callable[[SealedLedger, Chance], Awaitable[tuple[int, Sequence[Checkpoint]]]]


async def tamper(ledger: SealedLedger, name: str, way: Way, *, times: int = 50) -> None:
    """Tamper so often, elsewhere each time; fail when another row is named."""
    chance = Chance(f"{_SEED} {name}")
    for time in range(times):
        transaction = ledger.connection.transaction()
        await transaction.start()
        expected, outside = await way(ledger, chance)
        found = await ledger.verdict(*outside)
        await transaction.rollback()

        told = f"LEDGER_SEED={_SEED}, time {time}: expected {expected}, found {found}"
        assert (found.valid, found.first_broken) == (False, expected), told
    assert (await ledger.verdict()).valid
