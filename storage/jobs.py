"""The catalogue of jobs: what one floor may promise and another will do.

A job carries ids and small facts, never a token, a password or an address: its body lies in the
database and passes through the broker.
"""

import dataclasses
import types
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar, Self
from uuid import UUID

# Whose job it is when nobody lives under an address: the same work is promised either way, so that
# neither the answer nor its time tells.
NOBODY = UUID(int=0)


class Urgency(IntEnum):
    """Who goes first; the lanes of every queue."""

    URGENT = 0  # a person waits for it
    ORDINARY = 1
    BULK = 2  # one of many that were promised at once


@dataclass(frozen=True, slots=True)
class Job:
    """A kind of work: named `queue.what`, its class an imperative."""

    name: ClassVar[str]
    # What its promises are unless `put` is told otherwise.
    urgency: ClassVar[Urgency] = Urgency.ORDINARY
    # Seconds one try may take; tries before the promise is buried; seconds of back-off, doubled
    # from the first to the longest.
    time_limit: ClassVar[float] = 60
    max_attempts: ClassVar[int] = 12
    first_backoff: ClassVar[float] = 2
    longest_backoff: ClassVar[float] = 3_600

    @property
    def queue(self) -> str:
        """The queue, which is also the concern and the Procfile's process type."""
        return queue_of(self.name)

    @classmethod
    def from_body(cls, body: dict[str, Any]) -> Self:
        """Read what `body_of` wrote; raise ValueError or TypeError for anything else."""
        kinds = {item.name: item.type for item in dataclasses.fields(cls)}
        if set(body) != set(kinds):
            raise ValueError(f"{cls.name} wants {sorted(kinds)}, got {sorted(body)}")
        return cls(
            **{
                key: UUID(str(value)) if kinds[key] is UUID else value
                for key, value in body.items()
            }
        )


@dataclass(frozen=True, slots=True)
class SendWelcome(Job):
    """Welcome a new user and ask them to verify their e-mail address."""

    name: ClassVar[str] = "emails.welcome"
    urgency: ClassVar[Urgency] = Urgency.URGENT
    # A mail server that says "not now" is asked for an hour, and never a minute late.
    max_attempts: ClassVar[int] = 90
    longest_backoff: ClassVar[float] = 55

    user_id: UUID


@dataclass(frozen=True, slots=True)
class SendVerification(Job):
    """Ask a user once more to verify their e-mail address; NOBODY's job does nothing."""

    name: ClassVar[str] = "emails.verification"
    urgency: ClassVar[Urgency] = Urgency.URGENT

    user_id: UUID


@dataclass(frozen=True, slots=True)
class SendAlreadyRegistered(Job):
    """Tell a user that somebody tried to register with their address."""

    name: ClassVar[str] = "emails.already_registered"
    urgency: ClassVar[Urgency] = Urgency.URGENT

    user_id: UUID


@dataclass(frozen=True, slots=True)
class SendReuseNotice(Job):
    """Tell a user that a session was ended because an old refresh token of it was used."""

    name: ClassVar[str] = "emails.token_reuse"

    user_id: UUID


@dataclass(frozen=True, slots=True)
class SendNewDevice(Job):
    """Tell a user that a session was opened from a device not seen before."""

    name: ClassVar[str] = "emails.new_device"

    session_id: UUID


@dataclass(frozen=True, slots=True)
class SendPasswordChanged(Job):
    """Tell a user that their password was changed or reset."""

    name: ClassVar[str] = "emails.password_changed"

    user_id: UUID


@dataclass(frozen=True, slots=True)
class SendEmailChange(Job):
    """Ask the new address of a change to confirm it."""

    name: ClassVar[str] = "emails.confirm_change"
    urgency: ClassVar[Urgency] = Urgency.URGENT

    change_id: UUID


@dataclass(frozen=True, slots=True)
class SendEmailChanged(Job):
    """Tell the old address of a change about it, with a way to undo it."""

    name: ClassVar[str] = "emails.email_changed"

    change_id: UUID


@dataclass(frozen=True, slots=True)
class SendAccountDeleted(Job):
    """Tell a person that their account was deleted."""

    name: ClassVar[str] = "emails.account_deleted"

    user_id: UUID


@dataclass(frozen=True, slots=True)
class SendReset(Job):
    """Send a user the means to choose a new password; NOBODY's job does nothing."""

    name: ClassVar[str] = "passwords.reset"
    urgency: ClassVar[Urgency] = Urgency.URGENT

    user_id: UUID


@dataclass(frozen=True, slots=True)
class SendAccountSuspended(Job):
    """Tell a person that their account was suspended."""

    name: ClassVar[str] = "emails.account_suspended"

    user_id: UUID


@dataclass(frozen=True, slots=True)
class SendAccountRestored(Job):
    """Tell a person that their account, suspended or deleted before, is theirs again."""

    name: ClassVar[str] = "emails.account_restored"

    user_id: UUID


@dataclass(frozen=True, slots=True)
class SendInvitation(Job):
    """Send somebody an account was made for the means to choose their first password."""

    name: ClassVar[str] = "passwords.invitation"
    urgency: ClassVar[Urgency] = Urgency.URGENT

    user_id: UUID


@dataclass(frozen=True, slots=True)
class CleanUpSessions(Job):
    """Delete sessions, tokens and idempotency keys that ended long ago."""

    name: ClassVar[str] = "sessions.cleanup"
    time_limit: ClassVar[float] = 600


@dataclass(frozen=True, slots=True)
class CleanUpPipeline(Job):
    """Delete settled promises, old clock slots and old quarantined messages."""

    name: ClassVar[str] = "maintenance.cleanup"
    time_limit: ClassVar[float] = 600


@dataclass(frozen=True, slots=True)
class RotateSigningKey(Job):
    """Make a new signing key when the newest one is old, retire those that no token needs."""

    name: ClassVar[str] = "maintenance.rotate_signing_key"


@dataclass(frozen=True, slots=True)
class SealAudit(Job):
    """Move audit events out of the inbox into the ledger, until it is empty."""

    name: ClassVar[str] = "audit.seal"
    time_limit: ClassVar[float] = 300
    longest_backoff: ClassVar[float] = 30


@dataclass(frozen=True, slots=True)
class ExportCheckpoint(Job):
    """Write the newest signed state of the ledger down outside the database."""

    name: ClassVar[str] = "audit.checkpoint"


@dataclass(frozen=True, slots=True)
class KeepAuditMonths(Job):
    """Make the ledger's next months, drop those that are older than AUDIT_RETENTION."""

    name: ClassVar[str] = "audit.months"


CATALOGUE: types.MappingProxyType[str, type[Job]] = types.MappingProxyType(
    {
        job.name: job
        for job in (
            SendWelcome,
            SendVerification,
            SendAlreadyRegistered,
            SendReuseNotice,
            SendNewDevice,
            SendPasswordChanged,
            SendEmailChange,
            SendEmailChanged,
            SendAccountDeleted,
            SendAccountSuspended,
            SendAccountRestored,
            SendReset,
            SendInvitation,
            CleanUpSessions,
            CleanUpPipeline,
            RotateSigningKey,
            SealAudit,
            ExportCheckpoint,
            KeepAuditMonths,
        )
    }
)


def queue_of(name: str) -> str:
    """Return the queue of a job's name."""
    return name.partition(".")[0]


def queues() -> list[str]:
    """Return every queue of the catalogue."""
    return sorted({queue_of(name) for name in CATALOGUE})


def body_of(job: Job) -> dict[str, Any]:
    """Return the job's facts as a JSON object."""
    return {
        item.name: str(value) if isinstance(value := getattr(job, item.name), UUID) else value
        for item in dataclasses.fields(job)
    }
