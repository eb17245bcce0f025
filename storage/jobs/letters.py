"""Jobs that write letters."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from storage.jobs.job import Job, Urgency


@dataclass(frozen=True, slots=True)
class LetterJob(Job):
    """What letters share: a mail server that says "not now" is asked for an hour, never late."""

    # The server may be well again at any moment, and a letter leaves within a minute of it.
    max_attempts: ClassVar[int] = 90
    longest_backoff: ClassVar[float] = 55


@dataclass(frozen=True, slots=True)
class SendWelcome(LetterJob):
    """Welcome a new user and ask them to verify their e-mail address."""

    name: ClassVar[str] = "emails.welcome"
    urgency: ClassVar[Urgency] = Urgency.URGENT

    user_id: UUID


@dataclass(frozen=True, slots=True)
class SendVerification(LetterJob):
    """Ask a user once more to verify their e-mail address; NOBODY's job does nothing."""

    name: ClassVar[str] = "emails.verification"
    urgency: ClassVar[Urgency] = Urgency.URGENT

    user_id: UUID


@dataclass(frozen=True, slots=True)
class SendAlreadyRegistered(LetterJob):
    """Tell a user that somebody tried to register with their address."""

    name: ClassVar[str] = "emails.already_registered"
    urgency: ClassVar[Urgency] = Urgency.URGENT

    user_id: UUID


@dataclass(frozen=True, slots=True)
class SendReuseNotice(LetterJob):
    """Tell a user that a session was ended because an old refresh token of it was used."""

    name: ClassVar[str] = "emails.token_reuse"

    user_id: UUID


@dataclass(frozen=True, slots=True)
class SendNewDevice(LetterJob):
    """Tell a user that a session was opened from a device not seen before."""

    name: ClassVar[str] = "emails.new_device"

    session_id: UUID


@dataclass(frozen=True, slots=True)
class SendPasswordChanged(LetterJob):
    """Tell a user that their password was changed or reset."""

    name: ClassVar[str] = "emails.password_changed"

    user_id: UUID


@dataclass(frozen=True, slots=True)
class SendEmailChange(LetterJob):
    """Ask the new address of a change to confirm it."""

    name: ClassVar[str] = "emails.confirm_change"
    urgency: ClassVar[Urgency] = Urgency.URGENT

    change_id: UUID


@dataclass(frozen=True, slots=True)
class SendEmailChanged(LetterJob):
    """Tell the old address of a change about it, with a way to undo it."""

    name: ClassVar[str] = "emails.email_changed"

    change_id: UUID


@dataclass(frozen=True, slots=True)
class SendAccountDeleted(LetterJob):
    """Tell a person that their account was deleted."""

    name: ClassVar[str] = "emails.account_deleted"

    user_id: UUID


@dataclass(frozen=True, slots=True)
class SendReset(LetterJob):
    """Send a user the means to choose a new password; NOBODY's job does nothing."""

    name: ClassVar[str] = "passwords.reset"
    urgency: ClassVar[Urgency] = Urgency.URGENT

    user_id: UUID


@dataclass(frozen=True, slots=True)
class SendAccountSuspended(LetterJob):
    """Tell a person that their account was suspended."""

    name: ClassVar[str] = "emails.account_suspended"

    user_id: UUID


@dataclass(frozen=True, slots=True)
class SendAccountRestored(LetterJob):
    """Tell a person that their account, suspended or deleted before, is theirs again."""

    name: ClassVar[str] = "emails.account_restored"

    user_id: UUID


@dataclass(frozen=True, slots=True)
class SendInvitation(LetterJob):
    """Send somebody an account was made for the means to choose their first password."""

    name: ClassVar[str] = "passwords.invitation"
    urgency: ClassVar[Urgency] = Urgency.URGENT

    user_id: UUID
