"""Rules of one's own account: proving again who one is, and leaving."""

from dataclasses import dataclass, field

from api.context import Call, Principal
from api.passwords.current import CurrentPassword
from api.problems import Invalid, InvalidToken
from api.users.closing import close_account
from ops.metrics import Metrics
from storage.database import Database
from storage.sessions import EndReason
from storage.users import UserNotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What somebody proves again with that it is them."""

    password: str = field(repr=False)


class AccountService:
    """What people do with their own account."""

    def __init__(self, *, database: Database, current: CurrentPassword, metrics: Metrics) -> None:
        self._database = database
        self._current = current
        self._metrics = metrics

    async def step_up(self, given: Proof, principal: Principal, call: Call) -> None:
        """Make the session's sign-in recent again.

        Raises Invalid for a wrong password, TooMany after too many, NoPassword.
        """
        credential = await self._current.credential(principal.user_id)
        try:
            await self._current.check(given.password, credential, call, field="password")
        except Invalid:
            self._metrics.step_ups.labels("refused").inc()
            raise
        async with self._database.transaction(call.actor) as storage:
            await storage.sessions.proved_again(principal.session_id)
            await storage.audit.note("session.stepped_up", subject=principal.user_id)
        self._metrics.step_ups.labels("passed").inc()

    async def leave(self, principal: Principal, call: Call) -> None:
        """Delete one's own account, softly: every session ends, a letter says goodbye.

        Raises InvalidToken for whoever left before, and LastAdmin: an installation never loses its
        last administrator this way.
        """
        async with self._database.transaction(call.actor) as storage:
            await storage.roles.lock_admins()
            try:
                count = await close_account(storage, principal.user_id)
            except UserNotFound as error:
                raise InvalidToken from error
        self._metrics.user_changes.labels("deleted").inc()
        self._metrics.sessions_revoked.labels(EndReason.ACCOUNT_DELETED).inc(count)
