"""Verification of the whole chain beside everything else that a web process does."""

import asyncio
import time
from contextvars import Context
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ops.crypto import KeyRing
from ops.errors import Kind, Unavailable
from ops.logging import get_logger
from ops.metrics import Metrics
from storage.database import Database
from storage.ledger.verify import Verdict, verify
from storage.ledger.witness import Witness

# Proxies give up after 30 or 60 seconds.
_PATIENCE = 25.0
# Long enough for who was told to ask again.
_KEPT = timedelta(seconds=60)
_ASK_AGAIN_SECONDS = 10

_log = get_logger()


class StillVerifying(Unavailable, kind=Kind.UNAVAILABLE, code="SERVICE_UNAVAILABLE"):
    """The chain is long: its verification goes on. Ask again in ten seconds for the result."""

    def __init__(self) -> None:
        super().__init__(retry_after=_ASK_AGAIN_SECONDS)


Result = tuple[Verdict, datetime]


class Verification:
    """One verification at a time in a process; whoever asks meanwhile gets its result.

    A result that took longer than anybody waits is kept for a minute, for who asks again.
    """

    def __init__(
        self,
        *,
        database: Database,
        keys: KeyRing,
        home: Path,
        metrics: Metrics,
        patience: float = _PATIENCE,
    ) -> None:
        self._database = database
        self._keys = keys
        self._witness = Witness(home)
        self._metrics = metrics
        self._patience = patience
        self._running: asyncio.Task[Result] | None = None
        self._late: Result | None = None

    async def result(self) -> Result:
        """Return what is found, and when; raise StillVerifying or DatabaseAway."""
        if self._late and datetime.now(UTC) - self._late[1] < _KEPT:
            return self._late
        self._late = None
        if self._running is None:
            # It is for all who ask: who came first must not have it in their trace and lines.
            self._running = asyncio.create_task(self._run(), context=Context())
        try:
            async with asyncio.timeout(self._patience):
                return await asyncio.shield(self._running)
        except TimeoutError as error:
            raise StillVerifying from error

    async def close(self) -> None:
        """End a verification that runs."""
        if self._running:
            self._running.cancel()
            await asyncio.wait([self._running])
        self._running = None

    async def _run(self) -> Result:
        started = time.monotonic()
        try:
            # Before the chain is looked at: what is sealed meanwhile would seem to be missing.
            outside = await asyncio.to_thread(self._witness.kept)
            verdict = await verify(self._database, self._keys, outside)
        finally:
            self._running = None
        result = verdict, datetime.now(UTC)
        self._metrics.audit_valid.set(verdict.valid)
        self._metrics.audit_verified.set_to_current_time()
        if not verdict.valid:
            _log.error("audit chain broken", row=verdict.first_broken, reason=verdict.reason)
        if time.monotonic() - started > self._patience:
            self._late = result
        return result
