"""Rules of other people's sessions: who may see where somebody is signed in, and end it."""

from uuid import UUID

from api.context import Call, Principal
from api.problems import Forbidden
from api.users.reach import changed, check_rank, seen
from ops.metrics import Metrics
from storage.database import Database
from storage.roles import Permission
from storage.sessions import EndReason, OpenSession


class SessionOversight:
    """Shows and ends the sessions of people the caller stands above or beside."""

    def __init__(self, *, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._revoked = metrics.sessions_revoked

    async def of_user(self, user_id: UUID, principal: Principal, call: Call) -> list[OpenSession]:
        """List somebody's live sessions, the last used first; raise UserNotFound or Forbidden.

        That somebody else looked at them is written down.
        """
        async with self._database.reading(call.actor) as storage:
            user = await seen(storage, principal, user_id)
            if user_id == principal.user_id:
                return await storage.sessions.of_user(user_id)
            if not principal.may(Permission.SESSIONS_READ):
                raise Forbidden("Your roles do not permit to see where others are signed in.")
            check_rank(principal, user.rank)
            sessions = await storage.sessions.of_user(user_id)
            await storage.audit.note("sessions.read", subject=user_id, count=len(sessions))
        return sessions

    async def end_all(self, user_id: UUID, principal: Principal, call: Call) -> int:
        """End every session of somebody the caller may change; return how many."""
        async with self._database.transaction(call.actor) as storage:
            await changed(storage, principal, user_id)
            count = await storage.sessions.end_all(user_id, EndReason.ENDED_BY_ADMIN)
            await storage.audit.note("session.all_ended", subject=user_id, count=count)
        self._revoked.labels(EndReason.ENDED_BY_ADMIN).inc(count)
        return count
