"""What the token or code of a letter proves: found without being spent, guesses counted first.

Three letters prove something: that an address is one's own, that one may choose a new password, and
that a new address is one's own. All are looked up, counted, written down and refused alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from prometheus_client import Counter

from api.attempts import Attempts, Secret
from api.context import Call
from ops.crypto import KeyRing
from ops.errors import Problem
from storage.audit import Outcome
from storage.database import Database
from storage.repositories import Storage
from storage.tokens import Guess, TokenKind, digests, is_right

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class LetterAnswer(Protocol):
    """What somebody answers a letter with: its token, or their address and its code."""

    @property
    def token(self) -> str:
        """The token, empty for a code."""

    @property
    def email(self) -> str:
        """The canonical address that the code was sent to."""

    @property
    def code(self) -> str:
        """Six digits."""


class Kept(Protocol[T_co]):
    """A repository of such letters."""

    async def by_token(self, token_macs: Sequence[bytes]) -> T_co | None:
        """Return what a token proves."""

    async def by_id(self, letter_id: UUID, /) -> T_co | None:
        """Return what a letter proves whose code was right."""

    async def count_guess(self, email: str, /) -> Guess | None:
        """Count a guess at the newest code of an address."""

    async def uncount_guess(self, letter_id: UUID, /) -> None:
        """Give a guess back that was right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterKind(Generic[T]):
    """One of the three: where it is kept, and how a wrong answer is refused."""

    kind: TokenKind
    secret: Secret
    kept: Callable[[Storage], Kept[T]]
    refused: str
    problem: type[Problem]


class Proofs:
    """Finds what letters prove."""

    def __init__(self, *, database: Database, keys: KeyRing, attempts: Attempts) -> None:
        self._database = database
        self._keys = keys
        self._attempts = attempts

    async def find(
        self, letter: LetterKind[T], given: LetterAnswer, call: Call, *, stages: Counter
    ) -> T:
        """Return what a token or code proves, without spending it.

        Raises the letter's problem, always for the same reason, and TooMany. A wrong code counts
        before it is looked at, for its letter, its account and the caller's address.
        """
        if given.token:
            return await self._look(letter, given, call, stages)
        async with self._attempts.guessing(letter.secret, given.email, call):
            return await self._look(letter, given, call, stages)

    async def _look(
        self, letter: LetterKind[T], given: LetterAnswer, call: Call, stages: Counter
    ) -> T:
        async with self._database.transaction(call.actor) as storage:
            proof = await self._proof(letter, given, letter.kept(storage))
            if proof is None:
                await storage.audit.note(letter.refused, outcome=Outcome.FAILURE)
        if proof is None:
            stages.labels("refused").inc()
            raise letter.problem
        return proof

    async def _proof(self, letter: LetterKind[T], given: LetterAnswer, kept: Kept[T]) -> T | None:
        if given.token:
            return await kept.by_token(digests(self._keys, letter.kind, given.token))
        guess = await kept.count_guess(given.email)
        if not is_right(guess, given.code, keys=self._keys, kind=letter.kind) or guess is None:
            return None
        await kept.uncount_guess(guess.id)
        return await kept.by_id(guess.id)
