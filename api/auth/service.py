"""Rules of registration and sign-in."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from api.addresses import site_of
from api.auth.tokens import Pair, Tokens
from api.context import Call, Principal
from api.limits import Limits
from api.passwords.hasher import Hasher
from api.passwords.policy import check
from api.problems import InvalidToken
from api.sessions.service import SessionLives
from ops.errors import Kind, Problem
from ops.logging import get_logger
from ops.metrics import Metrics
from storage.audit import Outcome
from storage.database import Database, Storage
from storage.jobs import SendWelcome
from storage.roles import BuiltInRole
from storage.users import Credential, EmailTaken, User, UserNotFound

_PASSWORD = ("pwd",)  # RFC 8176

_security = get_logger("security")


class InvalidCredentials(Problem, kind=Kind.UNAUTHENTICATED, code="INVALID_CREDENTIALS"):
    """Invalid email or password"""  # noqa: D400 - the documents' own words


class AccountDeactivated(Problem, kind=Kind.FORBIDDEN, code="ACCOUNT_DEACTIVATED"):
    """This account is deactivated. Ask an administrator to activate it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """What somebody registers with."""

    email: str
    password: str = field(repr=False)
    first_name: str
    last_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What somebody signs in with."""

    email: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignedInUser:
    """A person and the tokens of a session."""

    user: User
    tokens: Pair


class AuthService:
    """Registers people and signs them in."""

    def __init__(  # noqa: PLR0913 - the tools of the feature
        self,
        *,
        database: Database,
        hasher: Hasher,
        tokens: Tokens,
        limits: Limits,
        metrics: Metrics,
        lives: SessionLives,
    ) -> None:
        self._database = database
        self._hasher = hasher
        self._tokens = tokens
        self._limits = limits
        self._metrics = metrics
        self._lives = lives

    async def register(self, new: NewUser, call: Call) -> SignedInUser:
        """Create a person, promise their welcome letter, open their first session.

        Raises Invalid for a weak password, EmailTaken for a known address.
        """
        if call.claim and call.claim.result:
            return await self._again(call.claim.result)
        check(new.password, personal=(new.email, new.first_name, new.last_name))
        password_hash = await self._hasher.hash(new.password)
        try:
            async with self._database.transaction(call.actor) as storage:
                user_id = await storage.users.add(
                    email=new.email,
                    password_hash=password_hash,
                    first_name=new.first_name,
                    last_name=new.last_name,
                )
                await storage.roles.assign(user_id, BuiltInRole.USER)
                await storage.audit.note("user.registered", subject=user_id)
                await storage.outbox.put(SendWelcome(user_id))
                signed_in = await self._open_session(storage, user_id, call)
        except EmailTaken:
            self._metrics.signups.labels("password", "taken").inc()
            raise
        self._metrics.signups.labels("password", "registered").inc()
        self._metrics.tokens_issued.labels("register").inc()
        return signed_in

    async def login(self, given: Credentials, call: Call) -> SignedInUser:
        """Sign a person in.

        Every failure looks alike and takes alike: unknown, without password, wrong. Only who has
        the right password learns that the account is deactivated.
        """
        limited_by = site_of(call.address)
        await self._limits.reserve_failure(limited_by)
        async with self._database.reading() as storage:
            credential = await storage.users.credential(given.email)
        stored = credential.password_hash if credential else None
        if not await self._hasher.verify(given.password, stored) or credential is None:
            await self._refuse(credential, call)
            raise InvalidCredentials
        await self._limits.refund(limited_by)
        if not credential.is_active:
            self._metrics.logins.labels("password", "deactivated").inc()
            raise AccountDeactivated
        await self._upgrade_hash(credential, given.password)
        async with self._database.transaction(call.actor) as storage:
            await storage.users.logged_in(credential.user_id)
            await storage.audit.note("session.opened", subject=credential.user_id)
            signed_in = await self._open_session(storage, credential.user_id, call)
        self._metrics.logins.labels("password", "success").inc()
        self._metrics.tokens_issued.labels("password").inc()
        return signed_in

    async def me(self, principal: Principal) -> User:
        """Return the signed-in person; raise InvalidToken when they are gone meanwhile."""
        try:
            async with self._database.reading() as storage:
                return await storage.users.by_id(principal.user_id)
        except UserNotFound as error:
            raise InvalidToken from error

    async def _open_session(self, storage: Storage, user_id: UUID, call: Call) -> SignedInUser:
        session = await storage.sessions.add(
            user_id=user_id,
            key_id=self._tokens.refresh_key_id,
            amr=_PASSWORD,
            address=site_of(call.address),
            user_agent=call.user_agent,
            seconds=self._lives.idle,
            absolute_seconds=self._lives.absolute,
        )
        user = await storage.users.by_id(user_id)
        await storage.idempotency.keep({"session": session.id})
        return SignedInUser(user, self._tokens.issue(session, user.role))

    async def _again(self, result: dict[str, Any]) -> SignedInUser:
        """Render a registration once more: the same person, the session's live tokens."""
        async with self._database.reading() as storage:
            session = await storage.sessions.live(UUID(result["session"]))
            if session is None:
                raise InvalidToken("The session of that registration has ended. Sign in.")
            user = await storage.users.by_id(session.user_id)
        return SignedInUser(user, self._tokens.issue(session, user.role))

    async def _refuse(self, credential: Credential | None, call: Call) -> None:
        """Write down a failure: the same work whether the person is known or not."""
        async with self._database.transaction(call.actor) as storage:
            subject = credential.user_id if credential else None
            await storage.audit.note("session.refused", subject=subject, outcome=Outcome.FAILURE)
        self._metrics.logins.labels("password", "failure").inc()
        _security.info("sign-in refused", address=call.address)

    async def _upgrade_hash(self, credential: Credential, password: str) -> None:
        stored = credential.password_hash
        if stored is None or not self._hasher.is_outdated(stored):
            return
        better = await self._hasher.hash(password)
        async with self._database.reading() as storage:
            await storage.users.rehash(credential.user_id, old=stored, new=better)
