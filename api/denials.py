"""Denied actions: somebody known tried what their roles do not permit."""

from contextlib import suppress

from api.context import Call
from ops.errors import Unavailable
from storage.audit import Outcome
from storage.database import Database


class Denials:
    """Writes down what was denied, and to whom."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, call: Call, route: str) -> None:
        """Note a denial in the audit trail; an absent database keeps nobody from the answer."""
        with suppress(Unavailable):
            async with self._database.transaction(call.actor) as storage:
                await storage.audit.note("access.denied", outcome=Outcome.DENIED, route=route)
