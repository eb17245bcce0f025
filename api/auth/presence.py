"""Who is behind a session, and what they may: looked up once, remembered until revoked.

What a process remembers is good while it knows what was revoked: it reads the last 30 seconds of
the table `revocations` every 400 ms, sooner when Redis says so. When a read is late by more than
half a second, nothing remembered is believed, and every request looks for itself
(docs/decisions/008-revocation.md).
"""

import asyncio
import time
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from uuid import UUID

from ops.errors import Unavailable
from ops.logging import get_logger
from ops.metrics import Metrics
from storage.database import Database
from storage.holders import Holder
from storage.revocations import Revocation

_POLL_SECONDS = 0.4
_FRESH_SECONDS = 0.9
_LOOK_BACK = 30
_JUST_NOW = 3
# Seconds without a look after which something may have been missed; well below the look back.
_LONGEST_GAP = 15.0
_MAX_ROWS = 5_000
_MAX_SESSIONS = 10_000

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

_log = get_logger()


def _now() -> float:
    """Return seconds on a clock that also runs while the machine sleeps, where there is one."""
    return time.clock_gettime(_CLOCK)


class Presence:
    """The sessions this process has seen, kept true."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._holders: OrderedDict[UUID, Holder] = OrderedDict()
        self._of_user: defaultdict[UUID, set[UUID]] = defaultdict(set)
        # Revocations of everything that were acted upon.
        self._seen: frozenset[UUID] = frozenset()
        # Revocations of roles that were acted upon: once is enough, everybody had to be forgotten.
        self._roles_seen: set[UUID] = set()
        # Raised so that no look-up under way is remembered: whenever everything is forgotten, and
        # when this process itself changed something.
        self._era = 0
        self._read_at = 0.0
        self._bell = asyncio.Event()
        self._on_everything: Callable[[], Awaitable[None]] | None = None
        metrics.revocations_age.set_function(lambda: _now() - self._read_at)

    def on_everything(self, then: Callable[[], Awaitable[None]]) -> None:
        """Await `then` when everything was revoked, as after the loss of a signing key."""
        self._on_everything = then

    def known(self, session_id: UUID) -> Holder | None:
        """Return who is behind a session, as far as this process remembers; None: look."""
        if _now() - self._read_at > _FRESH_SECONDS:
            return None
        holder = self._holders.get(session_id)
        return holder if holder and holder.expires_at.timestamp() > time.time() else None

    async def look(self, session_id: UUID) -> Holder | None:
        """Look up who is behind a session now, and remember it; None when it is good no longer."""
        era = self._era
        holder = await self._database.merged.holder(session_id)
        if holder is None:
            self._forget(session_id)
        elif era == self._era:
            self._remember(holder)
        return holder

    async def read(self) -> None:
        """Read what was revoked lately and forget it; raise DatabaseAway.

        Whoever was away for long, frozen or cut off, cannot know what was missed: everything goes.
        """
        started = _now()
        missed = started - self._read_at > _LONGEST_GAP
        recent = await self._recent(_LOOK_BACK)
        # All of them each time, not only the new ones: a look-up that was under way when a row was
        # first read may have put the old answer back.
        self._apply(recent)
        self._roles_seen &= {item.id for item in recent}
        everything = {item.id for item in recent if item.is_of_everything}
        if missed:
            self._forget_all()
        if self._on_everything and (missed or everything - self._seen):
            await self._on_everything()
        self._seen = frozenset(everything)
        self._read_at = started

    async def read_own(self) -> None:
        """Read what this process revoked just now and forget it; raise DatabaseAway."""
        self._apply(await self._recent(_JUST_NOW))
        self._era += 1

    def ring(self) -> None:
        """Make the watch read at once."""
        self._bell.set()

    async def watch(self) -> None:
        """Keep reading; never returns."""
        while True:
            self._bell.clear()
            try:
                await self.read()
            except Unavailable:
                pass  # said where it was found; nothing remembered is believed meanwhile
            except Exception:  # noqa: BLE001 - nobody would notice that this has ended
                _log.exception("revocations cannot be read")
            with suppress(TimeoutError):
                # Not `wait_for`: before Python 3.12 it can lose a cancellation to a bell.
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._bell.wait()

    def _remember(self, holder: Holder) -> None:
        self._holders[holder.session_id] = holder
        self._holders.move_to_end(holder.session_id)
        self._of_user[holder.user.id].add(holder.session_id)
        if len(self._holders) > _MAX_SESSIONS:
            self._forget(next(iter(self._holders)))

    def _forget(self, session_id: UUID) -> None:
        holder = self._holders.pop(session_id, None)
        if holder is None:
            return
        sessions = self._of_user[holder.user.id]
        sessions.discard(session_id)
        if not sessions:
            del self._of_user[holder.user.id]

    def _forget_all(self) -> None:
        self._era += 1
        self._holders.clear()
        self._of_user.clear()

    async def _recent(self, seconds: int) -> list[Revocation]:
        async with self._database.reading() as storage:
            return await storage.revocations.recent(seconds=seconds, limit=_MAX_ROWS)

    def _apply(self, recent: Sequence[Revocation]) -> None:
        if len(recent) >= _MAX_ROWS:  # there may be more, and one by one would take long
            self._forget_all()
            return
        for revocation in recent:
            if revocation.session_id:
                self._forget(revocation.session_id)
            elif revocation.user_id:
                for session_id in list(self._of_user.get(revocation.user_id, ())):
                    self._forget(session_id)
            # Roles change seldom: who has one is not worth knowing.
            elif revocation.id not in self._roles_seen:
                self._forget_all()
        self._roles_seen |= {revocation.id for revocation in recent if revocation.role_id}
