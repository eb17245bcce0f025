"""Rules of whether people may sign in: deleted, restored, suspended, activated by administrators.

Each decision is made by the facts of its own moment, one at a time: an administrator who was
removed while their request waited decides nothing any more.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from api.context import Call, Principal
from api.roles.rules import standing
from api.users.closing import close_account, spare_last_admin
from api.users.reach import check_rank
from ops.errors import Detail, Kind, Problem
from ops.metrics import Metrics
from storage.database import Database
from storage.jobs import SendAccountRestored, SendAccountSuspended
from storage.repositories import Storage
from storage.roles import Permission
from storage.sessions import EndReason
from storage.users import EmailTaken, User, UserNotFound


class NotOneself(Problem, kind=Kind.UNPROCESSABLE, code="UNPROCESSABLE_ENTITY"):
    """Nobody does this to themselves: another administrator must, or use DELETE /auth/me."""


class AddressInUse(Problem, kind=Kind.CONFLICT, code="DUPLICATE_ENTRY"):
    """Somebody else lives under this address by now. Change theirs first, or delete them."""

    def __init__(self) -> None:
        super().__init__(details=[Detail("email", "Email already exists")])


class StandingService:
    """Lets people in and keeps them out."""

    def __init__(self, *, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics

    async def delete(self, user_id: UUID, principal: Principal, call: Call) -> None:
        """Delete somebody softly: every session ends, their address is free, a letter tells them.

        Raises NotOneself, UserNotFound, Forbidden, PreconditionFailed, LastAdmin.
        """
        if user_id == principal.user_id:
            raise NotOneself
        async with self._deciding(user_id, Permission.USERS_DELETE, principal, call) as decision:
            storage, user = decision
            _check_living(user)
            call.check_version(user.version)
            count = await close_account(storage, user_id)
        self._metrics.user_changes.labels("deleted").inc()
        self._metrics.sessions_revoked.labels(EndReason.ACCOUNT_DELETED).inc(count)

    async def restore(self, user_id: UUID, principal: Principal, call: Call) -> User:
        """Take a deletion back; nothing happens to the living.

        Raises UserNotFound, Forbidden, and AddressInUse when another one lives there by now.
        """
        async with self._deciding(user_id, Permission.USERS_DELETE, principal, call) as decision:
            storage, user = decision
            if user.deleted_at is None:
                return user
            try:
                await storage.users.restore(user_id)
            except EmailTaken as error:
                raise AddressInUse from error
            await storage.audit.note("user.restored", subject=user_id)
            await storage.outbox.put(SendAccountRestored(user_id))
            user = await storage.users.by_id(user_id)
        self._metrics.user_changes.labels("restored").inc()
        return user

    async def suspend(self, user_id: UUID, principal: Principal, call: Call) -> User:
        """Keep somebody out until they are activated: every session ends, a letter tells them.

        Nothing happens to who is suspended. Raises NotOneself, UserNotFound, Forbidden, LastAdmin.
        """
        if user_id == principal.user_id:
            raise NotOneself
        async with self._deciding(user_id, Permission.USERS_UPDATE, principal, call) as decision:
            storage, user = decision
            _check_living(user)
            if not user.is_active:
                return user
            await spare_last_admin(storage, user_id)
            await storage.users.suspend(user_id)
            count = await storage.sessions.end_all(user_id, EndReason.SUSPENDED)
            await storage.audit.note("user.suspended", subject=user_id, sessions_ended=count)
            await storage.outbox.put(SendAccountSuspended(user_id))
            user = await storage.users.by_id(user_id)
        self._metrics.user_changes.labels("suspended").inc()
        self._metrics.sessions_revoked.labels(EndReason.SUSPENDED).inc(count)
        return user

    async def activate(self, user_id: UUID, principal: Principal, call: Call) -> User:
        """Let somebody who is suspended sign in again; nothing happens to who is active.

        Raises UserNotFound, Forbidden.
        """
        async with self._deciding(user_id, Permission.USERS_UPDATE, principal, call) as decision:
            storage, user = decision
            _check_living(user)
            if user.is_active:
                return user
            await storage.users.activate(user_id)
            await storage.audit.note("user.activated", subject=user_id)
            await storage.outbox.put(SendAccountRestored(user_id))
            user = await storage.users.by_id(user_id)
        self._metrics.user_changes.labels("activated").inc()
        return user

    @asynccontextmanager
    async def _deciding(
        self, user_id: UUID, permission: Permission, principal: Principal, call: Call
    ) -> AsyncIterator[tuple[Storage, User]]:
        """Lock somebody, deleted or not, for a caller who may decide about them at this moment."""
        async with self._database.transaction(call.actor) as storage:
            now = await standing(storage, principal, permission)
            if not now.may(Permission.USERS_READ):
                raise UserNotFound
            await storage.users.lock(user_id)
            user = await storage.users.kept_by_id(user_id)
            check_rank(now, user.rank)
            yield storage, user


def _check_living(user: User) -> None:
    """Raise UserNotFound for the deleted: they can only be restored."""
    if user.deleted_at:
        raise UserNotFound
