"""Rules of sessions: rotation without races, reuse, the end.

A refresh token is good once. Its *parent*, the token before, still gets the live pair again: that
is what a lost answer or a race between two tabs looks like. Anything older is a stolen token, and
so is a parent that comes late at two successive generations (RFC 9700, section 4.14); in profile
`strict` a late parent is one at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar
from uuid import UUID

from api.auth.tokens import Pair, RefreshClaims, Tokens
from api.context import Call, Principal
from api.limits import Decision, Limits, Policy
from api.problems import InvalidToken
from api.sessions.opening import SessionLives
from ops.errors import Kind, Problem
from ops.logging import get_logger
from ops.metrics import Metrics
from ops.settings import SecurityProfile
from storage.audit import Outcome
from storage.batches import Batches
from storage.database import Database
from storage.jobs import SendReuseNotice
from storage.repositories import Storage
from storage.sessions import EndReason, OpenSession, Rotated, Session, Standing

_security = get_logger("security")


class SessionNotFound(Problem, kind=Kind.NOT_FOUND, code="NOT_FOUND"):
    """You have no live session of this id. GET /auth/sessions lists those you have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """What somebody goes on with; empty where a cookie carries it."""

    refresh_token: str = field(default="", repr=False)


class SessionService:
    """Keeps sessions going, and ends them."""

    LATE_SECONDS: ClassVar[int] = 10

    def __init__(  # noqa: PLR0913 - the tools of the feature
        self,
        *,
        database: Database,
        tokens: Tokens,
        limits: Limits,
        metrics: Metrics,
        lives: SessionLives,
        profile: SecurityProfile,
    ) -> None:
        self._database = database
        self._tokens = tokens
        self._limits = limits
        self._metrics = metrics
        self._lives = lives
        self._strict = profile is SecurityProfile.STRICT
        self._rotations = Batches[RefreshClaims, Rotated | None](
            self._rotate_all, operation="sessions.rotate_all"
        )
        self._rotated = metrics.refreshes.labels("rotated")
        self._issued = metrics.tokens_issued.labels("refresh")

    def read(self, token: str) -> RefreshClaims:
        """Return what a refresh token of ours says, without asking anybody; raise InvalidToken."""
        try:
            return self._tokens.read_refresh(token)
        except InvalidToken:
            self._metrics.refreshes.labels("invalid").inc()
            raise

    async def limit(self, claims: RefreshClaims) -> Decision | None:
        """Count a refresh under its session, since many people can stand behind one address."""
        return await self._limits.general(Policy.REFRESH, str(claims.session_id))

    async def refresh(self, claims: RefreshClaims, call: Call) -> Pair:
        """Return the next tokens of a session, or its live ones to whoever lost them.

        Raises InvalidToken for a session that ended or expired and for a token that was reused;
        reuse ends the session, tells the person by letter, and looks like every other refusal.
        """
        moved = await self._rotations.ask(claims)
        if moved:
            self._rotated.inc()
            self._issued.inc()
            return self._tokens.issue(moved.session, moved.role)
        async with self._database.transaction(call.actor) as storage:
            session, result = await self._go_on(storage, claims)
            role = (await storage.users.by_id(session.user_id)).role if session else ""
        self._metrics.refreshes.labels(result).inc()
        if result == "reused":
            self._metrics.sessions_revoked.labels(EndReason.REUSE).inc()
            _security.warning("refresh token reused, session ended", session=str(claims.session_id))
        if session is None:
            raise InvalidToken
        self._issued.inc()
        return self._tokens.issue(session, role)

    async def of_user(self, principal: Principal) -> list[OpenSession]:
        """List one's own live sessions, the last used first."""
        async with self._database.reading() as storage:
            return await storage.sessions.of_user(principal.user_id)

    async def end(self, session_id: UUID, principal: Principal, call: Call) -> None:
        """End one of one's own sessions; raise SessionNotFound for any other id."""
        async with self._database.transaction(call.actor) as storage:
            ended = await storage.sessions.end_own(
                principal.user_id, session_id, EndReason.ENDED_BY_OWNER
            )
            if not ended:
                raise SessionNotFound
            await storage.audit.note(
                "session.ended", subject=principal.user_id, session=str(session_id)
            )
        self._metrics.sessions_revoked.labels(EndReason.ENDED_BY_OWNER).inc()

    async def end_others(self, principal: Principal, call: Call) -> int:
        """End every session of the person but this one; return how many."""
        async with self._database.transaction(call.actor) as storage:
            await storage.credentials.lock(principal.user_id)  # as everything that ends several
            count = await storage.sessions.end_others(
                principal.user_id, principal.session_id, EndReason.ENDED_BY_OWNER
            )
            await storage.audit.note("session.others_ended", subject=principal.user_id, count=count)
        self._metrics.sessions_revoked.labels(EndReason.ENDED_BY_OWNER).inc(count)
        return count

    async def logout(self, session_id: UUID, call: Call) -> None:
        """End a session whose token was shown; ending it twice is no mistake."""
        async with self._database.transaction(call.actor) as storage:
            user_id = await storage.sessions.end(session_id, EndReason.LOGOUT)
            if user_id:
                await storage.audit.note("session.ended", subject=user_id, session=str(session_id))
        if user_id:
            self._metrics.sessions_revoked.labels(EndReason.LOGOUT).inc()

    async def logout_all(self, principal: Principal, call: Call) -> int:
        """End every session of the person; return how many."""
        async with self._database.transaction(call.actor) as storage:
            await storage.credentials.lock(principal.user_id)
            count = await storage.sessions.end_all(principal.user_id, EndReason.LOGOUT_ALL)
            await storage.audit.note("session.all_ended", subject=principal.user_id, count=count)
        self._metrics.sessions_revoked.labels(EndReason.LOGOUT_ALL).inc(count)
        return count

    async def _rotate_all(self, asked: Sequence[RefreshClaims]) -> list[Rotated | None]:
        """Move sessions on in one commit; None for what has to be looked at, or waited for.

        Two tabs that come with one token are none of one batch's business: the first goes on.
        """
        first = {claims.session_id: claims for claims in reversed(asked)}
        generations = {claims.session_id: claims.generation for claims in first.values()}
        async with self._database.reading() as storage:
            moved = await storage.sessions.rotate_all(
                generations, key_id=self._tokens.refresh_key_id, seconds=self._lives.idle
            )
        return [moved.pop(c.session_id, None) if first[c.session_id] is c else None for c in asked]

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

    def _is_reuse(self, standing: Standing, claims: RefreshClaims) -> bool:
        live = standing.session.generation
        if claims.generation != live - 1:
            return True
        return standing.late and (self._strict or standing.late_generation == live - 1)

    async def _end_for_reuse(self, storage: Storage, session: Session) -> None:
        await storage.sessions.end(session.id, EndReason.REUSE)
        await storage.audit.note(
            "session.token_reused",
            subject=session.user_id,
            outcome=Outcome.DENIED,
            session=str(session.id),
        )
        await storage.outbox.put(SendReuseNotice(session.user_id))
