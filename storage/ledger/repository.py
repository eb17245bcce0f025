"""The ledger: rows sealed out of the inbox, in batches, by one sealer at a time."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import orjson

from ops.crypto import KeyRing
from storage.ledger.checkpoints import Checkpoint, Notary
from storage.ledger.sealing import Link, chained

LOCK = "SELECT pg_try_advisory_xact_lock(4827160093)"

# In the order of their ids, which is that of their times but for what commits late.
TAKE = """
DELETE FROM audit_inbox WHERE id IN (SELECT id FROM audit_inbox ORDER BY id LIMIT $1)
RETURNING id, action, outcome, actor_kind, actor_id, subject_id, address, request_id,
    facts::text AS facts, happened_at
"""

# Where the chain goes on, and when: by the server's clock, which all sealers share, never before
# the row it goes on from. Months follow each other in it, or dropping one would leave a gap.
CHAIN_END = """
SELECT head.sequence, head.hash, greatest(clock_timestamp(), (
    SELECT max(sealed_at) FROM audit_ledger
    WHERE audit_ledger.sequence = head.sequence AND sealed_at < '9998-01-01Z'
)) AS moment
FROM (VALUES (true)) AS always LEFT JOIN (
    SELECT sequence, hash FROM audit_checkpoints ORDER BY sequence DESC LIMIT 1
) AS head ON true
"""

# The address of one event must not stand beside another of the same id, erased or not.
TAKEN_IDS = """
SELECT id FROM audit_ledger WHERE id = ANY($1)
UNION ALL
SELECT event_id FROM audit_personal WHERE event_id = ANY($1)
"""

HEAD = """
SELECT sequence, hash, key_id, signature FROM audit_checkpoints ORDER BY sequence DESC LIMIT 1
"""

APPEND = """
INSERT INTO audit_ledger (sequence, id, action, outcome, actor_kind, actor_id, subject_id,
    request_id, facts, happened_at, sealed_at, personal_hash, previous_hash, hash)
SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::uuid[],
    $7::uuid[], $8::text[], $9::jsonb[], $10::timestamptz[], $11::timestamptz[], $12::bytea[],
    $13::bytea[], $14::bytea[])
"""

KEEP_PERSONAL = """
INSERT INTO audit_personal (event_id, salt, address)
SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::text[])
"""

SIGN = """
INSERT INTO audit_checkpoints (sequence, hash, key_id, signature) VALUES ($1, $2, $3, $4)
"""

# By force, anything can stand in a row: facts that no reader of JSON takes, a time before Christ,
# which Python does not have. Neither may keep a verification from naming that row.
ROWS = """
SELECT sequence, id, action, outcome, actor_kind, actor_id, subject_id, request_id,
    facts::text AS facts,
    CASE WHEN happened_at BETWEEN '0002-01-01Z' AND '9998-01-01Z' THEN happened_at END
        AS happened_at,
    CASE WHEN sealed_at BETWEEN '0002-01-01Z' AND '9998-01-01Z' THEN sealed_at END AS sealed_at,
    personal_hash, previous_hash, hash, salt, address
FROM audit_ledger LEFT JOIN audit_personal ON event_id = id
WHERE (sequence, sealed_at) > ($1, $2) AND sequence <= $3
ORDER BY sequence, sealed_at
LIMIT $4
"""

CHECKPOINTS = """
SELECT sequence, hash, key_id, signature FROM audit_checkpoints
WHERE sequence = ANY($1) ORDER BY sequence
"""

NEWEST_CHECKPOINTS = """
SELECT sequence, hash, key_id, signature FROM audit_checkpoints
WHERE sequence > $1 AND sequence <= $2 ORDER BY sequence DESC LIMIT $3
"""

OLDEST = "SELECT min(sequence) FROM audit_ledger"

# Of one moment: an event is in one of them.
DROPPED_MONTHS = """
SELECT facts::text AS facts FROM audit_ledger WHERE action = $1
UNION ALL
SELECT facts::text FROM audit_inbox WHERE action = $1
"""

# Of one moment, so that what is being sealed meanwhile is either signed or not there.
UNSIGNED = """
SELECT min(sequence) FROM audit_ledger
WHERE sequence > coalesce((SELECT max(sequence) FROM audit_checkpoints), 0)
"""

# Months are UTC's. What a month holds was sealed in it.
WANTED_MONTHS = """
SELECT date_trunc('month', now() + make_interval(months => ahead))::date AS month
FROM generate_series(0, $1) AS ahead
UNION SELECT audit_months_in_rest() ORDER BY month
"""

# A month of rows may have to move.
PATIENCE = "SET LOCAL statement_timeout = '30min'"
_PATIENCE_SECONDS = 1_800

MAKE_MONTH = "SELECT make_audit_partition($1)"

OLD_MONTHS = """
SELECT month FROM (
    SELECT to_date(right(child.relname, 6), 'YYYYMM') AS month
    FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
    WHERE inhparent = 'audit_ledger'::regclass AND child.relname ~ '^audit_ledger_[0-9]{6}$'
) AS months
WHERE month + interval '1 month' < now() - make_interval(days => $1)
ORDER BY month
"""

ERASE_MONTH = """
WITH part AS (
    SELECT sequence, id FROM audit_ledger
    WHERE sealed_at >= $1::date::timestamp AT TIME ZONE 'UTC'
      AND sealed_at < ($1::date + interval '1 month') AT TIME ZONE 'UTC' AND sequence > $2
    ORDER BY sequence LIMIT $3
), gone AS (
    DELETE FROM audit_personal WHERE event_id = ANY(ARRAY(SELECT id FROM part))
)
SELECT max(sequence), count(*) FROM part
"""

DROP_MONTH = "SELECT drop_audit_partition($1)"

DROP_CHECKPOINTS = "SELECT drop_audit_checkpoints($1)"

# Tells in the chain up to which row older months were dropped: a released row as facts.
DROPPED = "audit.months_dropped"

# Fields of a row in the order in which APPEND takes them.
_COLUMNS = (
    "sequence",
    "id",
    "action",
    "outcome",
    "actor_kind",
    "actor_id",
    "subject_id",
    "request_id",
    "facts",
    "happened_at",
    "sealed_at",
    "personal_hash",
    "previous_hash",
)


class Ledger:
    """The sealed part of the audit trail."""

    def __init__(self, connection: Any, keys: KeyRing) -> None:
        self._connection = connection
        self._notary = Notary(keys)

    async def seal(self, *, limit: int) -> int:
        """Move up to `limit` events out of the inbox into the chain; return how many.

        0 also when another sealer is at it. Needs a transaction: rows, their personal data and the
        checkpoint that signs the last one become visible together.
        """
        if not await self._connection.fetchval(LOCK):
            return 0
        # By their bytes: ids compare in Python, ten times as slowly.
        taken = sorted(await self._connection.fetch(TAKE, limit), key=lambda row: row["id"].bytes)
        if not taken:
            return 0
        end = await self._connection.fetchrow(CHAIN_END)
        ids = [row["id"] for row in taken]
        known = {row["id"] for row in await self._connection.fetch(TAKEN_IDS, ids)}
        links = chained(taken, end, taken=known)
        await self._append(links)
        signed = self._notary.sign(links[-1].row.sequence, links[-1].hash)
        await self._connection.execute(
            SIGN, signed.sequence, signed.hash, signed.key_id, signed.signature
        )
        return len(links)

    async def head(self) -> Checkpoint | None:
        """Return the newest checkpoint; None while nothing was sealed."""
        row = await self._connection.fetchrow(HEAD)
        return Checkpoint(*row.values()) if row else None

    async def rows(self, sequence: int, sealed_at: datetime, *, end: int, limit: int) -> list[Any]:
        """Return rows after (sequence, time of sealing), up to `end`, with their personal data."""
        found: list[Any] = await self._connection.fetch(ROWS, sequence, sealed_at, end, limit)
        return found

    async def checkpoints(self, sequences: Sequence[int]) -> list[Checkpoint]:
        """Return the checkpoints of these rows, as many as have one."""
        rows = await self._connection.fetch(CHECKPOINTS, sequences)
        return [Checkpoint(*row.values()) for row in rows]

    async def newest_checkpoints(self, after: int, through: int, *, limit: int) -> list[Checkpoint]:
        """Return checkpoints of rows after one and through another, the newest first."""
        rows = await self._connection.fetch(NEWEST_CHECKPOINTS, after, through, limit)
        return [Checkpoint(*row.values()) for row in rows]

    async def oldest(self) -> int | None:
        """Return the first row that is there."""
        sequence: int | None = await self._connection.fetchval(OLDEST)
        return sequence

    async def dropped(self) -> list[Checkpoint]:
        """Return the last rows of months that were dropped, as released then; unproven."""
        rows = await self._connection.fetch(DROPPED_MONTHS, DROPPED)
        return [released for row in rows if (released := _released(row["facts"]))]

    async def unsigned(self) -> int | None:
        """Return the first row beyond the newest checkpoint; None when all is well."""
        sequence: int | None = await self._connection.fetchval(UNSIGNED)
        return sequence

    async def wanted_months(self, *, ahead: int) -> list[date]:
        """Return the first days of this month, so many ahead, and those with rows in the rest."""
        return [row["month"] for row in await self._connection.fetch(WANTED_MONTHS, ahead)]

    async def make_month(self, month: date) -> bool:
        """Make the partition of a month, with its rows in the rest; False when it is there.

        Needs a transaction, which may take half an hour: one month in it and nothing else.
        """
        await self._connection.execute(PATIENCE)
        made = await self._connection.fetchval(MAKE_MONTH, month, timeout=_PATIENCE_SECONDS)
        return bool(made)

    async def old_months(self, *, days: int) -> list[date]:
        """Return the first days of months that were over so many days ago, oldest first."""
        return [row["month"] for row in await self._connection.fetch(OLD_MONTHS, days)]

    async def erase_month(self, month: date, *, after: int, limit: int) -> tuple[int | None, int]:
        """Delete the personal data of up to `limit` rows of a month, after one.

        Returns the last of them, to go on after, and how many they are; None when none is left.
        """
        last, count = await self._connection.fetchrow(ERASE_MONTH, month, after, limit)
        return last, count

    async def drop_month(self, month: date) -> Checkpoint | None:
        """Drop a month; return its last row, released, None if it had none.

        The transaction must note that as DROPPED: without it, rows would be missing. Raises
        asyncpg.RaiseError while no checkpoint has signed that row, or its personal data are there.
        """
        last: int | None = await self._connection.fetchval(DROP_MONTH, month)
        if last is None:
            return None
        [signed] = await self.checkpoints([last])
        return self._notary.release(last, signed.hash)

    async def drop_checkpoints(self, *, limit: int) -> int:
        """Delete up to `limit` checkpoints of rows that were dropped; return how many."""
        return int(await self._connection.fetchval(DROP_CHECKPOINTS, limit))

    async def _append(self, links: Sequence[Link]) -> None:
        await self._connection.execute(
            APPEND,
            *([getattr(link.row, name) for link in links] for name in _COLUMNS),
            [link.hash for link in links],
        )
        await self._connection.execute(
            KEEP_PERSONAL,
            [link.row.id for link in links],
            [link.salt for link in links],
            [link.address for link in links],
        )


def _released(facts: str) -> Checkpoint | None:
    try:
        return Checkpoint.read(orjson.loads(facts))
    except (KeyError, TypeError, ValueError):
        return None
