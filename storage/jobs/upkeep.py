"""Jobs that keep the house in order: sessions, pipeline, keys, the audit ledger."""

from dataclasses import dataclass
from typing import ClassVar

from storage.jobs.job import Job


@dataclass(frozen=True, slots=True)
class CleanUpSessions(Job):
    """Delete sessions, tokens and idempotency keys that ended long ago."""

    name: ClassVar[str] = "sessions.cleanup"
    time_limit: ClassVar[float] = 3_600


@dataclass(frozen=True, slots=True)
class CleanUpPipeline(Job):
    """Delete done jobs, letters, clock slots and quarantined messages that are old."""

    name: ClassVar[str] = "maintenance.cleanup"
    time_limit: ClassVar[float] = 3_600


@dataclass(frozen=True, slots=True)
class CountStatistics(Job):
    """Count people, sign-ins, sessions, letters and dead jobs of today and yesterday."""

    name: ClassVar[str] = "maintenance.statistics"
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
class VerifyAudit(Job):
    """Walk the whole ledger, raise the alarm if a row is not what was sealed."""

    name: ClassVar[str] = "audit.verify"
    # Some 20,000 rows a second.
    time_limit: ClassVar[float] = 3_600


@dataclass(frozen=True, slots=True)
class KeepAuditMonths(Job):
    """Make the ledger's next months, drop those that are older than AUDIT_RETENTION."""

    name: ClassVar[str] = "audit.months"
    # A big month goes in many batches, and rows may have to move into theirs.
    time_limit: ClassVar[float] = 3_600
