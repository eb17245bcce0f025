"""Closing accounts: all that goes with one, and that an administrator is left.

Whoever may take the last administrator away (deletes, suspends, takes a role) calls
`storage.roles.lock_admins()` before any row is locked, and `spare_last_admin` after that: two who
do it to each other wait in turn, and nobody waits for ever.
"""

from uuid import UUID

from ops.errors import Kind, Problem
from storage.jobs import SendAccountDeleted
from storage.repositories import Storage
from storage.sessions import EndReason
from storage.users import UserNotFound


class LastAdmin(Problem, kind=Kind.CONFLICT, code="CONFLICT"):
    """Nobody else who has chosen a password is an administrator. Make somebody one first."""


async def spare_last_admin(storage: Storage, user_id: UUID) -> None:
    """Raise LastAdmin when nobody else who can sign in is one."""
    if await storage.roles.is_last_admin(user_id):
        raise LastAdmin


async def close_account(storage: Storage, user_id: UUID) -> int:
    """Delete a person softly, with all that lets them in; return how many sessions ended.

    Raises LastAdmin, and UserNotFound for whoever is gone already.
    """
    await spare_last_admin(storage, user_id)
    if not await storage.users.remove(user_id):
        raise UserNotFound
    await storage.credentials.retire_letters(user_id)
    count = await storage.sessions.end_all(user_id, EndReason.ACCOUNT_DELETED)
    await storage.devices.forget_all(user_id)
    await storage.audit.note("user.deleted", subject=user_id, sessions_ended=count)
    await storage.outbox.put(SendAccountDeleted(user_id))
    return count
