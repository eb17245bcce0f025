"""Who acts: written into the audit trail of everything a transaction does."""

import getpass
import os
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from ops.request_ids import OF_COMMANDS
from storage.claims import Claim


class ActorKind(StrEnum):
    """What kind of caller acts."""

    ANONYMOUS = "anonymous"
    USER = "user"
    SYSTEM = "system"
    # Whoever may run our commands: known to the machine, not to us.
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, from where, under which request; and the idempotency claim to finish, if any."""

    kind: ActorKind
    id: UUID | None = None
    address: str | None = None
    request_id: str | None = None
    claim: Claim | None = None


SYSTEM = Actor(kind=ActorKind.SYSTEM)


def operator() -> Actor:
    """Return who runs a command on this machine; the request id begins with their name on it."""
    return Actor(
        kind=ActorKind.OPERATOR, request_id=f"{OF_COMMANDS}{_login_name()}-{os.urandom(4).hex()}"
    )


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number that nobody has named
        return str(os.getuid())
