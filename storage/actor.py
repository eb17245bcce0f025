"""Who acts: written into the audit trail of everything a transaction does."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from storage.claims import Claim


class ActorKind(StrEnum):
    """What kind of caller acts."""

    ANONYMOUS = "anonymous"
    USER = "user"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, from where, under which request; and the idempotency claim to finish, if any."""

    kind: ActorKind
    id: UUID | None = None
    address: str | None = None
    request_id: str | None = None
    claim: Claim | None = None


SYSTEM = Actor(kind=ActorKind.SYSTEM)
