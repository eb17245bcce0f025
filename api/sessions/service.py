"""Rules of sessions: rotation without races, reuse, the end.

A refresh token is good once. Its *parent*, the token before, still gets the live pair again: that
is what a lost answer or a race between two tabs looks like. Anything older is a stolen token, and
so is a parent that comes late at two successive generations (RFC 9700, section 4.14).
"""

from dataclasses import dataclass, field
from typing import ClassVar

from api.auth.tokens import Pair, RefreshClaims, Tokens
from api.context import Call, Principal
from api.problems import InvalidToken
from ops.logging import get_logger
from ops.metrics import Metrics
from storage.audit import Outcome
from storage.database import Database, Storage
from storage.jobs import SendReuseNotice
from storage.sessions import EndReason, Session, Standing

_security = get_logger("security")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLives:
    """Seconds a session lives unused, and at most."""

    idle: int
    absolute: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """What somebody goes on with."""

    refresh_token: str = field(repr=False)


class SessionService:
    """Keeps sessions going, and ends them."""

    LATE_SECONDS: ClassVar[int] = 10

    def __init__(
        self, *, database: Database, tokens: Tokens, metrics: Metrics, lives: SessionLives
    ) -> None:
        self._database = database
        self._tokens = tokens
        self._metrics = metrics
        self._lives = lives

    async def refresh(self, given: Refresh, call: Call) -> Pair:
        """Return the next tokens of a session, or its live ones to whoever lost them.

        Raises InvalidToken for a token that is none of ours, ended, expired or reused; reuse ends
        the session, tells the person by letter, and looks like every other refusal.
        """
        claims = self._read(given.refresh_token)
        async with self._database.transaction(call.actor) as storage:
            session, result = await self._go_on(storage, claims)
            role = (await storage.users.by_id(session.user_id)).role if session else ""
        self._metrics.refreshes.labels(result).inc()
        if session is None:
            raise InvalidToken
        self._metrics.tokens_issued.labels("refresh").inc()
        return self._tokens.issue(session, role)

    async def logout(self, principal: Principal, call: Call) -> None:
        """End the session of the access token; ending it twice is no mistake."""
        async with self._database.transaction(call.actor) as storage:
            if await storage.sessions.end(principal.session_id, EndReason.LOGOUT):
                await storage.audit.note("session.ended", subject=principal.user_id)
        self._metrics.sessions_revoked.labels(EndReason.LOGOUT).inc()

    async def logout_all(self, principal: Principal, call: Call) -> int:
        """End every session of the person; return how many."""
        async with self._database.transaction(call.actor) as storage:
            count = await storage.sessions.end_all(principal.user_id, EndReason.LOGOUT_ALL)
            await storage.audit.note("session.all_ended", subject=principal.user_id, count=count)
        self._metrics.sessions_revoked.labels(EndReason.LOGOUT_ALL).inc(count)
        return count

    def _read(self, token: str) -> RefreshClaims:
        try:
            return self._tokens.read_refresh(token)
        except InvalidToken:
            self._metrics.refreshes.labels("invalid").inc()
            raise

    async def _go_on(self, storage: Storage, claims: RefreshClaims) -> tuple[Session | None, str]:
        session = await storage.sessions.rotate(
            claims.session_id,
            generation=claims.generation,
            key_id=self._tokens.refresh_key_id,
            seconds=self._lives.idle,
        )
        if session:
            return session, "rotated"
        standing = await storage.sessions.standing(claims.session_id, late_after=self.LATE_SECONDS)
        if standing is None:
            return None, "ended"
        if self._is_reuse(standing, claims):
            await self._end_for_reuse(storage, standing.session)
            return None, "reused"
        if standing.late:
            await storage.sessions.parent_came_late(standing.session.id)
        return standing.session, "repeated"

    @staticmethod
    def _is_reuse(standing: Standing, claims: RefreshClaims) -> bool:
        live = standing.session.generation
        if claims.generation != live - 1:
            return True
        return standing.late and standing.late_generation == live - 1

    async def _end_for_reuse(self, storage: Storage, session: Session) -> None:
        await storage.sessions.end(session.id, EndReason.REUSE)
        await storage.audit.note(
            "session.token_reused",
            subject=session.user_id,
            outcome=Outcome.DENIED,
            session=str(session.id),
        )
        await storage.outbox.put(SendReuseNotice(session.user_id))
        self._metrics.sessions_revoked.labels(EndReason.REUSE).inc()
        _security.warning("refresh token reused, session ended", session=str(session.id))
