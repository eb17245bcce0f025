"""The current password, asked for once more before something sensitive is changed."""

from uuid import UUID

from api.attempts import Attempts, Secret
from api.context import Call
from api.passwords.hasher import Hasher
from api.problems import Invalid, InvalidToken
from ops.errors import Kind, Problem
from storage.audit import Outcome
from storage.credentials import OwnCredential
from storage.database import Database


class NoPassword(Problem, kind=Kind.UNPROCESSABLE, code="UNPROCESSABLE_ENTITY"):
    """Your account has no password yet. Ask for a letter at /forgot-password to choose one."""


class ChangedMeanwhile(Problem, kind=Kind.CONFLICT, code="CONFLICT"):
    """Your password or address was changed at the same moment. Sign in again and look."""


class CurrentPassword:
    """Checks what somebody signed in says their password is."""

    def __init__(self, *, database: Database, hasher: Hasher, attempts: Attempts) -> None:
        self._database = database
        self._hasher = hasher
        self._attempts = attempts

    async def credential(self, user_id: UUID) -> OwnCredential:
        """Return what there is to check against; raise InvalidToken for somebody who is gone."""
        async with self._database.reading() as storage:
            credential = await storage.credentials.of_user(user_id)
        if credential is None:
            raise InvalidToken
        return credential

    async def check(
        self, given: str, credential: OwnCredential, call: Call, *, field: str = "currentPassword"
    ) -> None:
        """Raise Invalid for a wrong password, TooMany after too many, NoPassword without one.

        Not a 401: the session is good, and clients answer a 401 by signing out.
        """
        if credential.password_hash is None:
            raise NoPassword
        async with self._attempts.guessing(Secret.PASSWORD, credential.email, call):
            if await self._hasher.verify(given, credential.password_hash):
                return
            async with self._database.transaction(call.actor) as storage:
                await storage.audit.note(
                    "password.refused", subject=call.actor.id, outcome=Outcome.FAILURE
                )
            raise Invalid.field(field, "This is not your current password")
