"""The audit trail's inbox: append-only, written in the transaction of the fact it tells of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from operator import attrgetter
from typing import Any
from uuid import UUID

from ops.ids import new_id
from storage.actor import Actor, ActorKind
from storage.jobs import SealAudit
from storage.ledger.chain import check_facts

NOTE = """
INSERT INTO audit_inbox
    (id, action, outcome, actor_kind, actor_id, subject_id, address, request_id, facts, happened_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""

NOTE_ALL = """
INSERT INTO audit_inbox
    (id, action, outcome, actor_kind, actor_id, subject_id, address, request_id, facts, happened_at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::uuid[],
    $7::text[], $8::text[], $9::jsonb[], $10::timestamptz[])
"""

# One is enough: it goes on until the inbox is empty. A little later, so that a burst is one batch.
PROMISE_SEAL = """
INSERT INTO outbox (id, queue, name, body, available_at)
SELECT $1, $2, $3, '{}', now() + make_interval(secs => $4) WHERE EXISTS (SELECT FROM audit_inbox)
ON CONFLICT (name) WHERE name = 'audit.seal' AND state IN ('pending', 'handed_over') DO NOTHING
RETURNING true
"""

UNSEALED = "SELECT count(*) FROM (SELECT FROM audit_inbox LIMIT 100000) AS waiting"

# How long the oldest event has waited; by the server's clock, which all writers share.
LAG = """
SELECT coalesce(extract(epoch FROM now() - (
    SELECT created_at FROM audit_inbox ORDER BY id LIMIT 1
)), 0)::float8
"""

# What takes an administrator's rights, unless people do it to themselves. Looking is not among it.
ADMINISTRATIVE = frozenset(
    {
        "audit.exported",
        "job.discarded",
        "job.replayed",
        "job.retried",
        "jobs.discard_ordered",
        "jobs.replay_ordered",
        "jobs.retry_ordered",
        "quarantine.message_deleted",
        "queue.held",
        "queue.released",
        "role.changed",
        "role.created",
        "role.deleted",
        "session.all_ended",
        "task.run",
        "user.activated",
        "user.changed",
        "user.created",
        "user.deleted",
        "user.email_changed",
        "user.restored",
        "user.role_given",
        "user.role_taken",
        "user.suspended",
    }
)


@dataclass(frozen=True, slots=True)
class Noted:
    """An action that was noted, and whether it took an administrator's rights: for counters."""

    action: str
    administrative: bool


class Outcome(StrEnum):
    """How what was tried ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    DENIED = "denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened, who did it, and to whom: a row of the inbox, in the order of its columns."""

    id: UUID
    action: str
    outcome: Outcome
    actor_kind: ActorKind
    actor_id: UUID | None
    subject: UUID | None
    address: str | None
    request_id: str | None
    facts: Mapping[str, str | int | bool]
    happened_at: datetime

    @classmethod
    def now(
        cls,
        action: str,
        actor: Actor,
        *,
        subject: UUID | None,
        outcome: Outcome,
        facts: Mapping[str, str | int | bool],
    ) -> "Event":
        """Return what happens at this moment; raise ValueError for facts as `check_facts` does."""
        check_facts(facts)
        return cls(
            id=new_id(),
            action=action,
            outcome=outcome,
            actor_kind=actor.kind,
            actor_id=actor.id,
            subject=subject,
            address=actor.address,
            request_id=actor.request_id,
            facts=facts,
            happened_at=datetime.now(UTC),
        )

    @property
    def noted(self) -> Noted:
        """What counters have to know of it."""
        by_people = self.actor_kind is ActorKind.USER and self.subject != self.actor_id
        return Noted(self.action, by_people and self.action in ADMINISTRATIVE)


# In the order of the columns that the statements name.
_row_of = attrgetter(*(field.name for field in fields(Event)))


class AuditInbox:
    """Audit events waiting to be sealed into the ledger."""

    def __init__(self, connection: Any, actor: Actor | None) -> None:
        self._connection = connection
        self._actor = actor
        # What was noted through this object, committed or not.
        self.noted: list[Noted] = []

    async def note(
        self,
        action: str,
        *,
        subject: UUID | None = None,
        outcome: Outcome = Outcome.SUCCESS,
        **facts: str | int | bool,
    ) -> None:
        """Write down that `action` (past tense, `user.created`) happened to `subject`.

        Facts are small and free of secrets and personal data. Raises RuntimeError outside a
        transaction, where the event could outlive what it tells of, unless `reading` was told who
        reads; ValueError for facts that could not be hashed by anybody alike (`check_facts`).
        """
        if self._actor is None:
            raise RuntimeError(f"{action} noted outside a transaction")
        event = Event.now(action, self._actor, subject=subject, outcome=outcome, facts=facts)
        await self._connection.execute(NOTE, *_row_of(event))
        self.noted.append(event.noted)

    async def note_all(self, events: Sequence[Event]) -> None:
        """Write down what stands for itself: what was read, by any number of readers."""
        await self._connection.execute(NOTE_ALL, *zip(*map(_row_of, events), strict=True))
        self.noted += [event.noted for event in events]

    async def unsealed(self) -> int:
        """Count events not yet sealed, up to 100,000."""
        return int(await self._connection.fetchval(UNSEALED))

    async def lag(self) -> float:
        """Return the seconds that the oldest event not yet sealed has waited; 0 when none waits."""
        return max(0.0, float(await self._connection.fetchval(LAG)))

    async def promise_seal(self, *, wait: float) -> bool:
        """Promise to seal the inbox in `wait` seconds, unless it is empty or that is promised."""
        job = SealAudit()
        made = await self._connection.fetchval(PROMISE_SEAL, new_id(), job.queue, job.name, wait)
        return bool(made)
