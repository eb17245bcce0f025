"""The catalogue of jobs: what one floor may promise and another will do.

A job carries ids and small facts, never a token, a password or an address: its body lies in the
database and passes through the broker.
"""

import types

from storage.jobs.job import NOBODY, Job, Urgency, body_of, queue_of
from storage.jobs.letters import (
    SendAccountDeleted,
    SendAccountRestored,
    SendAccountSuspended,
    SendAlreadyRegistered,
    SendEmailChange,
    SendEmailChanged,
    SendInvitation,
    SendNewDevice,
    SendPasswordChanged,
    SendReset,
    SendReuseNotice,
    SendVerification,
    SendWelcome,
)
from storage.jobs.many import DiscardJobs, OverMany, ReplayJobs, RetryJobs
from storage.jobs.upkeep import (
    CleanUpPipeline,
    CleanUpSessions,
    CountStatistics,
    ExportCheckpoint,
    KeepAuditMonths,
    RotateSigningKey,
    SealAudit,
    VerifyAudit,
)

__all__ = [
    "CATALOGUE",
    "NOBODY",
    "CleanUpPipeline",
    "CleanUpSessions",
    "CountStatistics",
    "DiscardJobs",
    "ExportCheckpoint",
    "Job",
    "KeepAuditMonths",
    "OverMany",
    "ReplayJobs",
    "RetryJobs",
    "RotateSigningKey",
    "SealAudit",
    "SendAccountDeleted",
    "SendAccountRestored",
    "SendAccountSuspended",
    "SendAlreadyRegistered",
    "SendEmailChange",
    "SendEmailChanged",
    "SendInvitation",
    "SendNewDevice",
    "SendPasswordChanged",
    "SendReset",
    "SendReuseNotice",
    "SendVerification",
    "SendWelcome",
    "Urgency",
    "VerifyAudit",
    "body_of",
    "queue_of",
    "queues",
]

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
            CountStatistics,
            RotateSigningKey,
            RetryJobs,
            DiscardJobs,
            ReplayJobs,
            SealAudit,
            ExportCheckpoint,
            VerifyAudit,
            KeepAuditMonths,
        )
    }
)


def queues() -> list[str]:
    """Return every queue of the catalogue."""
    return sorted({queue_of(name) for name in CATALOGUE})
