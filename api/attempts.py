"""Guesses at an account's secrets: counted per account over all addresses, in PostgreSQL.

Every kind of secret has a count of its own, so that guessing codes locks nobody out of signing in.
"""

from enum import StrEnum

from api.problems import TooMany
from ops.crypto import KeyRing
from ops.metrics import Metrics
from ops.settings import Rate
from storage.database import Database


class Secret(StrEnum):
    """What is guessed at."""

    PASSWORD = "password"  # noqa: S105 - a kind, not a password
    RESET_CODE = "reset code"
    VERIFICATION_CODE = "verification code"
    CHANGE_CODE = "change code"


class Attempts:
    """Counts guesses before they are looked at, and gives back those that were right."""

    def __init__(
        self, *, database: Database, keys: KeyRing, metrics: Metrics, rate: Rate | None
    ) -> None:
        self._database = database
        self._keys = keys
        self._metrics = metrics
        self._rate = rate

    async def reserve(self, secret: Secret, email: str) -> None:
        """Count a guess at a secret of whoever has this canonical address, if anybody has.

        Raises TooMany with the seconds to wait: 1, 2, 4 ... 60 once the limit is reached.
        """
        if self._rate is None:
            return
        async with self._database.reading() as storage:
            found = await storage.attempts.reserve(
                self._account(secret, email), limit=self._rate.limit, seconds=self._rate.seconds
            )
        if not found.allowed:
            self._metrics.rate_limited.labels("account").inc()
            raise TooMany(
                f"Too many attempts. Try again in {found.wait} seconds.", retry_after=found.wait
            )

    async def refund(self, secret: Secret, email: str) -> None:
        """Give a guess back that was right."""
        if self._rate is None:
            return
        async with self._database.reading() as storage:
            await storage.attempts.refund(self._account(secret, email))

    def _account(self, secret: Secret, email: str) -> bytes:
        return self._keys.mac(email.encode(), purpose=f"attempts {secret}")
