"""Merged: what many requests ask of PostgreSQL at the same moment, asked in one statement.

A round trip with its connection costs more than the row it fetches, and a commit more than the row
it keeps. Outside any transaction only; what is written here stands for itself.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from uuid import UUID

from storage.actor import Actor
from storage.audit import Event, Outcome
from storage.batches import Batches
from storage.holders import Holder
from storage.repositories import Storage
from storage.users import User, UserNotFound

Reading = Callable[[], AbstractAsyncContextManager[Storage]]


class MergedAudit:
    """What readers did: written before they are answered, in one commit for all of them."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._events = Batches[Event, None](self._note, operation="audit.note_all")

    async def note(
        self, action: str, *, actor: Actor, subject: UUID | None = None, **facts: str | int | bool
    ) -> None:
        """Write down that `actor` saw something; never from inside `reading` or a transaction.

        Whoever waits for this and holds a connection may hold the one that it needs.
        """
        await self._events.ask(
            Event.now(action, actor, subject=subject, outcome=Outcome.SUCCESS, facts=facts)
        )

    async def _note(self, events: Sequence[Event]) -> list[None]:
        async with self._reading() as storage:
            await storage.audit.note_all(events)
        return [None] * len(events)


class Merged:
    """Reads and writes that stand alone, many in one statement."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self.audit = MergedAudit(reading)
        self._users = Batches[UUID, User | None](self._kept_by_ids, operation="users.kept_by_ids")
        self._holders = Batches[UUID, Holder | None](
            self._by_sessions, operation="holders.by_sessions"
        )

    async def user(self, user_id: UUID) -> User:
        """Return a person, deleted or not, or raise UserNotFound."""
        user = await self._users.ask(user_id)
        if user is None:
            raise UserNotFound
        return user

    async def holder(self, session_id: UUID) -> Holder | None:
        """Return who is behind a session if it and they are good, else None."""
        return await self._holders.ask(session_id)

    async def _kept_by_ids(self, user_ids: Sequence[UUID]) -> list[User | None]:
        async with self._reading() as storage:
            found = await storage.users.kept_by_ids(set(user_ids))
        return [found.get(user_id) for user_id in user_ids]

    async def _by_sessions(self, session_ids: Sequence[UUID]) -> list[Holder | None]:
        async with self._reading() as storage:
            found = await storage.holders.by_sessions(set(session_ids))
        return [found.get(session_id) for session_id in session_ids]
