"""Rules of registration and sign-in."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from api.access import EmailNotVerified
from api.auth.devices import DeviceTokens
from api.auth.guard import Attempt, Guard
from api.auth.tokens import Tokens
from api.context import Call
from api.passwords.hasher import Hasher
from api.passwords.policy import PasswordPolicy
from api.problems import Forbidden, InvalidToken
from api.sessions.opening import SessionOpener, SignedInUser
from ops.errors import Kind, Problem
from ops.logging import get_logger
from ops.metrics import Metrics
from storage.audit import Outcome
from storage.database import Database
from storage.jobs import SendAlreadyRegistered, SendWelcome
from storage.repositories import Storage
from storage.roles import BuiltInRole
from storage.users import Credential, EmailTaken

# What a registration that tells strangers nothing takes after the hash, whatever there is to write.
_SILENT_SECONDS = 0.02

# Says whether a person may have a session of the kind that is asked for.
Admits = Callable[[Storage, UUID], Awaitable[bool]]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInRules:
    """What the settings say of registration and sign-in."""

    # Registration tells strangers nothing: everybody gets the same answer.
    neutral: bool
    # Only who has a verified address gets a session.
    verified_only: bool


class AuthService:
    """Registers people and signs them in."""

    def __init__(  # noqa: PLR0913 - the tools of the feature
        self,
        *,
        database: Database,
        hasher: Hasher,
        policy: PasswordPolicy,
        guard: Guard,
        opener: SessionOpener,
        tokens: Tokens,
        devices: DeviceTokens,
        metrics: Metrics,
        rules: SignInRules,
    ) -> None:
        self._database = database
        self._hasher = hasher
        self._policy = policy
        self._guard = guard
        self._opener = opener
        self._tokens = tokens
        self._devices = devices
        self._metrics = metrics
        self._rules = rules

    async def register(self, new: NewUser, call: Call) -> SignedInUser | None:
        """Create a person, promise their welcome letter, open their first session.

        Raises Invalid for a weak password, EmailTaken for a known address. Where strangers are told
        nothing, or only verified people sign in, there is no session yet: None.
        """
        if call.claim and call.claim.result:
            return await self._again(call.claim.result)
        self._policy.check(new.password, personal=(new.email, new.first_name, new.last_name))
        password_hash = await self._hasher.hash(new.password)
        if self._rules.neutral:
            await self._register_silently(new, password_hash, call)
            return None
        try:
            async with self._database.transaction(call.actor) as storage:
                signed_in = await self._register(storage, new, password_hash, call)
        except EmailTaken:
            await self._note_taken(call)
            raise
        self._metrics.signups.labels("password", "registered").inc()
        if signed_in:
            self._metrics.tokens_issued.labels("register").inc()
        return signed_in

    async def login(
        self, given: Credentials, call: Call, *, admits: Admits | None = None
    ) -> SignedInUser:
        """Sign a person in.

        Every failure looks alike and takes alike: unknown, without password, wrong. Only who has
        the right password learns that the account is deactivated or its address unverified, or
        that `admits` says no (Forbidden): no session has begun then, and none of theirs has ended.
        """
        async with self._guard.admitted(given.email, call) as attempt:
            credential = await self._proved(attempt, given.password, call)
        await self._check_admissible(credential, call, admits)
        await self._upgrade_hash(credential, given.password)
        signed_in = await self._sign_in(credential, attempt, call)
        self._metrics.logins.labels("password", "success").inc()
        self._metrics.tokens_issued.labels("password").inc()
        return signed_in

    async def _register(
        self, storage: Storage, new: NewUser, password_hash: str, call: Call
    ) -> SignedInUser | None:
        user_id = await storage.users.add(
            email=new.email,
            password_hash=password_hash,
            first_name=new.first_name,
            last_name=new.last_name,
        )
        await self._welcome(storage, user_id)
        if self._rules.verified_only:
            await storage.idempotency.keep({"neutral": "yes"})
            return None
        return await self._opener.open(storage, user_id, call, device_id=None)

    async def _note_taken(self, call: Call) -> None:
        async with self._database.transaction(call.actor) as storage:
            await storage.audit.note("user.registration_refused", outcome=Outcome.FAILURE)
        self._metrics.signups.labels("password", "taken").inc()

    async def _register_silently(self, new: NewUser, password_hash: str, call: Call) -> None:
        """Create a person or write to the one who is there: the same answer, the same work."""
        done_at = asyncio.get_running_loop().time() + _SILENT_SECONDS
        async with self._database.transaction(call.actor) as storage:
            user_id = await storage.users.add_unless_taken(
                email=new.email,
                password_hash=password_hash,
                first_name=new.first_name,
                last_name=new.last_name,
            )
            owner = await storage.users.credential(new.email)
            if user_id:
                await self._welcome(storage, user_id)
            elif owner:
                # As many statements as for somebody new; there is no such role.
                await storage.roles.assign(owner.user_id, "")
                await storage.audit.note("user.registration_repeated", subject=owner.user_id)
                await storage.outbox.put(SendAlreadyRegistered(owner.user_id))
            await storage.idempotency.keep({"neutral": "yes"})
        result = "registered" if user_id else "taken"
        self._metrics.signups.labels("password", result).inc()
        # All the indexes of a new person take half a millisecond more than a letter does.
        await asyncio.sleep(done_at - asyncio.get_running_loop().time())

    @staticmethod
    async def _welcome(storage: Storage, user_id: UUID) -> None:
        await storage.roles.assign(user_id, BuiltInRole.USER)
        await storage.audit.note("user.registered", subject=user_id)
        await storage.outbox.put(SendWelcome(user_id))

    async def _proved(self, attempt: Attempt, password: str, call: Call) -> Credential:
        """Return the credential whose password it is; raise InvalidCredentials."""
        credential = attempt.credential
        stored = credential.password_hash if credential else None
        if await self._hasher.verify(password, stored) and credential:
            return credential
        await self._refuse(credential, call)
        raise InvalidCredentials

    async def _sign_in(self, credential: Credential, attempt: Attempt, call: Call) -> SignedInUser:
        async with self._database.transaction(call.actor) as storage:
            # Also lets one sign-in of a person at a time count their sessions.
            if await storage.users.logged_in(credential.user_id, credential.version):
                return await self._opener.open(
                    storage, credential.user_id, call, device_id=attempt.device_id
                )
        await self._refuse(credential, call)  # it was changed while it was being looked at
        raise InvalidCredentials

    async def _again(self, result: dict[str, Any]) -> SignedInUser | None:
        """Render a registration once more: the same person, the session's live tokens."""
        if "session" not in result:
            return None
        ended = InvalidToken("The session of that registration has ended. Sign in.")
        async with self._database.reading() as storage:
            session = await storage.sessions.live(UUID(result["session"]))
            if session is None:
                raise ended
            user = await storage.users.by_id(session.user_id)
        # The request carries the password of then: it must not outlive a change of it.
        if str(user.credential_version) != result["version"]:
            raise ended
        pair = self._tokens.issue(session, user.role)
        return SignedInUser(user, pair, self._devices.issue(UUID(result["device"])))

    async def _check_admissible(
        self, credential: Credential, call: Call, admits: Admits | None
    ) -> None:
        """Raise the Problem of who knew the password and gets no session all the same."""
        problem: Problem
        if not credential.is_active:
            reason, problem = "deactivated", AccountDeactivated()
        elif self._rules.verified_only and not credential.email_verified:
            reason, problem = "unverified", EmailNotVerified()
        elif admits and not await self._admitted(credential, admits):
            reason, problem = "not_permitted", Forbidden()
        else:
            return
        async with self._database.transaction(call.actor) as storage:
            await storage.audit.note(
                "session.refused",
                subject=credential.user_id,
                outcome=Outcome.DENIED,
                reason=reason,
            )
        self._metrics.logins.labels("password", reason).inc()
        raise problem

    async def _admitted(self, credential: Credential, admits: Admits) -> bool:
        async with self._database.reading() as storage:
            return await admits(storage, credential.user_id)

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
