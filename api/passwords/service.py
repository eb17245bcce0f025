"""Rules of changing a password: by a letter for whoever forgot it, or knowing the current one."""

from dataclasses import dataclass, field

from api.addresses import site_of
from api.attempts import Attempts, Secret
from api.auth.devices import DeviceTokens
from api.context import Call, Principal
from api.passwords.current import ChangedMeanwhile, CurrentPassword
from api.passwords.hasher import Hasher
from api.passwords.policy import PasswordPolicy
from api.problems import Invalid
from api.proofs import LetterKind, Proofs
from ops.errors import Kind, Problem
from ops.metrics import Metrics
from storage.database import Database
from storage.jobs import NOBODY, SendPasswordChanged, SendReset
from storage.password_resets import Permit
from storage.repositories import Storage
from storage.sessions import EndReason
from storage.tokens import TokenKind


class ResetFailed(Problem, kind=Kind.MALFORMED, code="BAD_REQUEST"):
    """This link or code is wrong, used, or too old. Ask for a new letter at /forgot-password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """Whose password was forgotten."""

    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """A letter's token, or an address and the code sent there; and the password to be."""

    token: str = field(default="", repr=False)
    email: str = ""
    code: str = field(default="", repr=False)
    new_password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordChange:
    """The password that is, and the one to be."""

    current_password: str = field(repr=False)
    new_password: str = field(repr=False)


_LETTER = LetterKind(
    kind=TokenKind.PASSWORD_RESET,
    secret=Secret.RESET_CODE,
    kept=lambda storage: storage.password_resets,
    refused="password_reset.refused",
    problem=ResetFailed,
)


class PasswordService:
    """Changes passwords."""

    def __init__(  # noqa: PLR0913 - the tools of the feature
        self,
        *,
        database: Database,
        proofs: Proofs,
        hasher: Hasher,
        policy: PasswordPolicy,
        attempts: Attempts,
        current: CurrentPassword,
        devices: DeviceTokens,
        metrics: Metrics,
    ) -> None:
        self._database = database
        self._proofs = proofs
        self._hasher = hasher
        self._policy = policy
        self._attempts = attempts
        self._current = current
        self._devices = devices
        self._metrics = metrics

    async def forgot(self, given: Forgotten, call: Call) -> None:
        """Promise a letter; the same work for everybody tells nobody (docs/enumeration.md)."""
        async with self._database.transaction(call.actor) as storage:
            user_id = await storage.users.id_of(given.email)
            await storage.audit.note("password_reset.requested", subject=user_id)
            await storage.outbox.put(SendReset(user_id or NOBODY))
        self._metrics.resets.labels("requested").inc()

    async def reset(self, given: Reset, call: Call) -> None:
        """Choose a new password by letter: every session ends, and none is opened.

        Raises ResetFailed, always for the same reason; TooMany after too many codes; Invalid for a
        weak password, which costs neither the letter nor a guess.
        """
        stages = self._metrics.resets
        permit = await self._proofs.find(_LETTER, given, call, stages=stages)
        personal = (permit.email, permit.first_name, permit.last_name)
        self._policy.check(given.new_password, personal=personal, field="newPassword")
        password_hash = await self._hasher.hash(given.new_password)
        async with self._database.transaction(call.actor) as storage:
            count = await self._apply(storage, permit, password_hash)
            # Guesses of others must not keep out whoever came by letter, now or in a minute.
            await storage.devices.add(
                permit.user_id,
                site=site_of(call.address),
                agent_mac=self._devices.agent_macs(call.user_agent)[0],
            )
        await self._attempts.forgive(Secret.PASSWORD, permit.email)
        stages.labels("done").inc()
        self._metrics.sessions_revoked.labels(EndReason.PASSWORD_RESET).inc(count)

    @staticmethod
    async def _apply(storage: Storage, permit: Permit, password_hash: str) -> int:
        """Spend the permit, return how many sessions ended; raise ResetFailed for the second."""
        user_id = permit.user_id
        living = await storage.credentials.lock(user_id)
        if not living or not await storage.password_resets.spend(permit.id):
            raise ResetFailed
        await storage.credentials.reset_password(user_id, password_hash)
        await storage.credentials.retire_letters(user_id)
        await storage.devices.forget_all(user_id)
        count = await storage.sessions.end_all(user_id, EndReason.PASSWORD_RESET)
        await storage.audit.note("user.password_reset", subject=user_id, sessions_ended=count)
        await storage.outbox.put(SendPasswordChanged(user_id))
        return count

    async def change(self, given: PasswordChange, principal: Principal, call: Call) -> None:
        """Change one's own password: every other session ends, this one goes on.

        Raises Invalid for a wrong current password (not a 401, which would sign clients out) and
        for a weak or unchanged one, NoPassword, TooMany, ChangedMeanwhile.
        """
        user_id = principal.user_id
        credential = await self._current.credential(user_id)
        await self._current.check(given.current_password, credential, call)
        personal = (credential.email, credential.first_name, credential.last_name)
        self._policy.check(given.new_password, personal=personal, field="newPassword")
        if given.new_password == given.current_password:
            raise Invalid.field("newPassword", "Choose a password other than your current one")
        password_hash = await self._hasher.hash(given.new_password)
        async with self._database.transaction(call.actor) as storage:
            if not await storage.credentials.set_password(
                user_id, password_hash, credential_version=credential.version
            ):
                raise ChangedMeanwhile
            await storage.credentials.retire_letters(user_id)
            count = await storage.sessions.end_others(
                user_id, principal.session_id, EndReason.PASSWORD_CHANGED
            )
            await storage.audit.note("user.password_changed", subject=user_id, sessions_ended=count)
            await storage.outbox.put(SendPasswordChanged(user_id))
        self._metrics.sessions_revoked.labels(EndReason.PASSWORD_CHANGED).inc(count)
