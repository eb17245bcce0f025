"""Rules of one's own account: proving again who one is, and leaving."""

from dataclasses import dataclass, field

from api.attempts import Attempts, Secret
from api.context import Call, Principal
from api.passwords.hasher import Hasher
from api.problems import Invalid
from ops.errors import Kind, Problem
from ops.metrics import Metrics
from storage.audit import Outcome
from storage.database import Database
from storage.jobs import SendAccountDeleted
from storage.sessions import EndReason


class LastAdmin(Problem, kind=Kind.CONFLICT, code="CONFLICT"):
    """You are the only administrator. Make somebody else one first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What somebody proves again with that it is them."""

    password: str = field(repr=False)


class AccountService:
    """What people do with their own account."""

    def __init__(
        self, *, database: Database, hasher: Hasher, attempts: Attempts, metrics: Metrics
    ) -> None:
        self._database = database
        self._hasher = hasher
        self._attempts = attempts
        self._metrics = metrics

    async def step_up(self, given: Proof, principal: Principal, call: Call) -> None:
        """Make the session's sign-in recent again; raise Invalid for a wrong password.

        Not a 401: the session is good, and clients answer a 401 by refreshing or signing out.
        """
        async with self._database.reading() as storage:
            email = (await storage.users.by_id(principal.user_id)).email
            credential = await storage.users.credential(email)
        await self._attempts.reserve(Secret.PASSWORD, email)
        stored = credential.password_hash if credential else None
        good = await self._hasher.verify(given.password, stored)
        if good:
            await self._attempts.refund(Secret.PASSWORD, email)
        async with self._database.transaction(call.actor) as storage:
            if good:
                await storage.sessions.proved_again(principal.session_id)
            await storage.audit.note(
                "session.stepped_up",
                subject=principal.user_id,
                outcome=Outcome.SUCCESS if good else Outcome.FAILURE,
            )
        self._metrics.step_ups.labels("passed" if good else "refused").inc()
        if not good:
            raise Invalid.field("password", "This is not your current password")

    async def leave(self, principal: Principal, call: Call) -> None:
        """Delete one's own account, softly: every session ends, a letter says goodbye.

        Raises LastAdmin, so that an installation never loses its last administrator this way.
        """
        async with self._database.transaction(call.actor) as storage:
            await storage.roles.lock_first_admin()
            if await storage.roles.is_last_admin(principal.user_id):
                raise LastAdmin
            await storage.users.remove(principal.user_id)
            count = await storage.sessions.end_all(principal.user_id, EndReason.ACCOUNT_DELETED)
            await storage.devices.forget_all(principal.user_id)
            await storage.audit.note("user.deleted", subject=principal.user_id)
            await storage.outbox.put(SendAccountDeleted(principal.user_id))
        self._metrics.sessions_revoked.labels(EndReason.ACCOUNT_DELETED).inc(count)
