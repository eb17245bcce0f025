"""Audit events for tests: noted as processes note them, sealed when a test says so."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from ops.ids import new_id
from storage.actor import Actor, ActorKind
from storage.database import Database
from storage.ledger.records import AuditEvent
from storage.pages import Window

# Common events of many people over the last month, with one in a thousand that is rare.
_GENERATE = """
WITH made AS (
    SELECT number, now() - make_interval(secs => (1 - number / $1::float) * 2e6) AS at,
        number % 1000 = 7 AS rare
    FROM generate_series(1, $1) AS number
), stamped AS (
    SELECT *, encode(substring(
        int8send((extract(epoch FROM at) * 1000)::bigint) FROM 3) || '\\x7000'::bytea
        || '\\x8000'::bytea || substring(int8send(number) FROM 3), 'hex')::uuid AS id
    FROM made
), personal AS (
    INSERT INTO audit_personal (event_id, salt, address)
    SELECT id, '\\x00', CASE WHEN rare THEN '198.51.100.7'
        ELSE '10.0.' || number % 50 || '.' || number % 250 END
    FROM stamped
)
INSERT INTO audit_ledger (sequence, id, action, outcome, actor_kind, actor_id, subject_id,
    request_id, facts, happened_at, personal_hash, previous_hash, hash, sealed_at)
SELECT number, id,
    CASE WHEN rare THEN 'rare.done' ELSE (ARRAY['session.opened', 'user.read', 'users.listed',
        'user.changed', 'session.refused', 'session.ended'])[number % 6 + 1] END,
    CASE WHEN rare THEN 'denied' WHEN number % 6 = 4 THEN 'failure' ELSE 'success' END,
    CASE WHEN rare THEN 'system' ELSE 'user' END,
    lpad(to_hex(number % 5000), 32, '0')::uuid, lpad(to_hex(number % 7001), 32, '0')::uuid,
    'req_' || number, '{}', at, '\\x00', '\\x00', sha256(int8send(number)), at
FROM stamped
"""


@contextmanager
def garbage_of_others_apart() -> Iterator[None]:
    """Keep what other tests have left from being collected while turns are measured."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


async def note(
    database: Database,
    *actions: str,
    actor: UUID | None = None,
    address: str = "203.0.113.9",
    request_id: str = "req_1",
    **facts: Any,
) -> None:
    """Note events of somebody."""
    who = Actor(kind=ActorKind.USER, id=actor or new_id(), address=address, request_id=request_id)
    async with database.transaction(who) as storage:
        for action in actions:
            await storage.audit.note(action, **facts)


async def generate(owner: Any, count: int) -> None:
    """Fill the ledger with so many rows that nobody sealed: for plans and figures."""
    await owner.execute("SELECT make_audit_partition((now() - interval '1 month')::date)")
    await owner.execute(_GENERATE, count)
    await owner.execute("ANALYZE audit_ledger; ANALYZE audit_personal")


async def seal(database: Database, limit: int = 1_000) -> int:
    """Seal one batch of what waits; needs the workers' role."""
    async with database.transaction() as storage:
        return await storage.ledger.seal(limit=limit)


async def found(database: Database, **window: Any) -> Sequence[AuditEvent]:
    """Search, by cursor."""
    async with database.transaction() as storage:
        return (await storage.trail.page(Window(sort="time", **{"offset": None} | window))).items


async def walked(database: Database, **window: Any) -> list[UUID]:
    """Walk a search to its end; return the ids met."""
    ids: list[UUID] = []
    after = None
    while True:
        async with database.transaction() as storage:
            part = await storage.trail.page(
                Window(sort="time", **{"offset": None, "after": after} | window)
            )
        ids += [event.id for event in part.items]
        after = part.next
        if after is None:
            return ids
