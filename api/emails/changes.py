"""Rules of changing an e-mail address: wished for, confirmed by the new one, undone by the old."""

from dataclasses import dataclass, field

from api.attempts import Secret
from api.context import Call, Principal
from api.emails.service import Verification, VerificationFailed
from api.passwords.current import ChangedMeanwhile, CurrentPassword
from api.problems import Invalid
from api.proofs import LetterKind, Proofs
from ops.crypto import KeyRing
from ops.errors import Kind, Problem
from ops.metrics import Metrics
from storage.audit import Outcome
from storage.database import Database
from storage.email_changes import Change
from storage.jobs import SendEmailChange, SendEmailChanged, SendReset
from storage.repositories import Storage
from storage.sessions import EndReason
from storage.tokens import TokenKind, digests


class UndoFailed(Problem, kind=Kind.MALFORMED, code="BAD_REQUEST"):
    """This link is wrong, used, or too old. Write to whoever runs this service for help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailChange:
    """The address to be; and the current password, unless the sign-in is recent."""

    new_email: str
    current_password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """The token of the letter to the old address."""

    token: str = field(repr=False)


_LETTER = LetterKind(
    kind=TokenKind.EMAIL_CHANGE,
    secret=Secret.CHANGE_CODE,
    kept=lambda storage: storage.email_changes,
    refused="email_change.refused",
    problem=VerificationFailed,
)


class EmailChangeService:
    """Changes addresses."""

    def __init__(
        self,
        *,
        database: Database,
        keys: KeyRing,
        proofs: Proofs,
        current: CurrentPassword,
        metrics: Metrics,
    ) -> None:
        self._database = database
        self._keys = keys
        self._proofs = proofs
        self._current = current
        self._metrics = metrics

    async def request(self, given: EmailChange, principal: Principal, call: Call) -> None:
        """Promise a letter to the new address; a newer wish replaces older ones.

        Nobody looks here whether the address is taken: the answer and its time cannot tell.
        Checks the password if one is given: raises Invalid, NoPassword, TooMany; and
        ChangedMeanwhile, since a reset that came first means that this one may be a thief.
        """
        credential = await self._current.credential(principal.user_id)
        if given.current_password:
            await self._current.check(given.current_password, credential, call)
        if given.new_email == credential.email:
            raise Invalid.field("newEmail", "This is your address already")
        async with self._database.transaction(call.actor) as storage:
            await storage.credentials.lock(principal.user_id)
            change_id = await storage.email_changes.add(
                principal.user_id,
                new_email=given.new_email,
                credential_version=credential.version,
            )
            if change_id is None:
                raise ChangedMeanwhile
            await storage.audit.note("email_change.requested", subject=principal.user_id)
            await storage.outbox.put(SendEmailChange(change_id))
        self._metrics.email_changes.labels("requested").inc()

    async def confirm(self, given: Verification, call: Call) -> None:
        """Move a person to their new address; older letters die, sessions live on.

        Raises VerificationFailed, always for the same reason; TooMany after too many codes;
        EmailTaken when somebody else came to live there meanwhile, which spends nothing.
        """
        stages = self._metrics.email_changes
        change = await self._proofs.find(_LETTER, given, call, stages=stages)
        async with self._database.transaction(call.actor) as storage:
            await self._move(storage, change)
        stages.labels("confirmed").inc()

    @staticmethod
    async def _move(storage: Storage, change: Change) -> None:
        user_id = change.user_id
        living = await storage.credentials.lock(user_id)
        if not living or not await storage.email_changes.confirm(change.id):
            raise VerificationFailed
        await storage.credentials.change_email(user_id, change.new_email)
        await storage.credentials.retire_letters(user_id)
        await storage.audit.note("user.email_changed", subject=user_id)
        await storage.outbox.put(SendEmailChanged(change.id))

    async def undo(self, given: Undo, call: Call) -> None:
        """Give an account back to its old address, and to whoever reads the letters there.

        The password goes, every session ends, a letter lets the owner choose a new password.
        Raises UndoFailed; EmailTaken when somebody else has proved the old address meanwhile.
        """
        async with self._database.transaction(call.actor) as storage:
            change = await self._undone(storage, given)
            if change is None:
                await storage.audit.note("email_change.undo_refused", outcome=Outcome.FAILURE)
            else:
                count = await self._take_back(storage, change)
        if change is None:
            self._metrics.email_changes.labels("undo_refused").inc()
            raise UndoFailed
        self._metrics.email_changes.labels("undone").inc()
        self._metrics.sessions_revoked.labels(EndReason.EMAIL_UNDONE).inc(count)

    async def _undone(self, storage: Storage, given: Undo) -> Change | None:
        """Return the change that was undone just now, None when the link is good no longer."""
        macs = digests(self._keys, TokenKind.EMAIL_UNDO, given.token)
        change = await storage.email_changes.by_undo(macs)
        if change is None or not await storage.credentials.lock(change.user_id):
            return None
        return change if await storage.email_changes.undo(change) else None

    @staticmethod
    async def _take_back(storage: Storage, change: Change) -> int:
        user_id = change.user_id
        # A thief who registers the old address anew, and cannot prove it, must not be in the way.
        squatter = await storage.credentials.squatter(change.old_email, owner=user_id)
        if squatter and await storage.users.remove(squatter):
            await storage.sessions.end_all(squatter, EndReason.ACCOUNT_DELETED)
            await storage.devices.forget_all(squatter)
            await storage.audit.note("user.deleted", subject=squatter, gave_way=True)
        await storage.credentials.restore_email(user_id, change.old_email)
        await storage.credentials.retire_letters(user_id)
        await storage.devices.forget_all(user_id)
        count = await storage.sessions.end_all(user_id, EndReason.EMAIL_UNDONE)
        await storage.audit.note("user.email_change_undone", subject=user_id, sessions_ended=count)
        await storage.outbox.put(SendReset(user_id))
        return count
