"""Guesses at an account's secrets, counted per account over all addresses, and per address.

The count of an account is kept in PostgreSQL, under a digest of what was typed: it survives a wiped
Redis, and unknown accounts are counted like known ones. Every kind of secret has a count of its
own, so that guessing codes locks nobody out of signing in.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import StrEnum

from api.addresses import site_of
from api.context import Call
from api.limits import Decision, Limits, Policy, TooMany
from ops.crypto import KeyRing
from ops.errors import Unavailable
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
        self,
        *,
        database: Database,
        keys: KeyRing,
        limits: Limits,
        metrics: Metrics,
        rate: Rate | None,
    ) -> None:
        self._database = database
        self._keys = keys
        self._limits = limits
        self._metrics = metrics
        self._rate = rate

    def guessing(self, secret: Secret, email: str, call: Call) -> AbstractAsyncContextManager[None]:
        """Count a guess at a secret of whoever has a canonical address, as `counted` does."""
        return self.counted(secret, account=email, caller=site_of(call.address))

    @asynccontextmanager
    async def counted(self, secret: Secret, *, account: str, caller: str) -> AsyncIterator[None]:
        """Count a guess around its evaluation, which raises when it was wrong.

        A right guess is given back, and so is one that could not be looked at. Raises TooMany when
        the caller or the account has had its share.
        """
        await self._limits.reserve_failure(caller)
        try:
            await self._reserve(secret, account)
        except (TooMany, Unavailable):
            await self._limits.refund(caller)
            raise
        try:
            yield
        except Unavailable:
            await self._give_back(secret, account, caller)
            raise
        await self._give_back(secret, account, caller)

    async def forgive(self, secret: Secret, email: str) -> None:
        """Forget all guesses at an account whose owner proved to be there."""
        async with self._database.reading() as storage:
            await storage.attempts.forgive(self._digest(secret, email))

    async def _reserve(self, secret: Secret, account: str) -> None:
        """Raise TooMany with the seconds to wait: 1, 2, 4 ... 60 once the limit is reached."""
        if self._rate is None:
            return
        async with self._database.reading() as storage:
            found = await storage.attempts.reserve(
                self._digest(secret, account), limit=self._rate.limit, seconds=self._rate.seconds
            )
        if not found.allowed:
            self._metrics.rate_limited.labels(Policy.ACCOUNT).inc()
            raise TooMany(
                Decision(
                    policy=Policy.ACCOUNT,
                    rate=self._rate,
                    allowed=False,
                    remaining=0,
                    wait=found.wait,
                    reset=found.wait,
                )
            )

    async def _give_back(self, secret: Secret, account: str, caller: str) -> None:
        await self._limits.refund(caller)
        if self._rate is None:
            return
        async with self._database.reading() as storage:
            await storage.attempts.refund(self._digest(secret, account))

    def _digest(self, secret: Secret, account: str) -> bytes:
        return self._keys.mac(account.encode(), purpose=f"attempts {secret}")
