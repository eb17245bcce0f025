"""Rules of the first admin: one link, one use, thirty minutes; or the pair from the settings."""

from enum import StrEnum

from api.auth.service import NewUser
from api.context import Call
from api.passwords.hasher import Hasher
from api.passwords.policy import PasswordPolicy
from ops.crypto import KeyRing
from ops.errors import Kind, Problem
from storage.actor import SYSTEM, Actor
from storage.database import Database
from storage.roles import BuiltInRole
from storage.tokens import TokenKind, digest, digests, new_token

LINK_SECONDS = 30 * 60


class SetupClosed(Problem, kind=Kind.FORBIDDEN, code="FORBIDDEN"):
    """This set-up link is used, replaced or too old. Make a new one: python -m api admin create."""


class AdminState(StrEnum):
    """How the question of the first admin was answered."""

    EXISTS = "exists"
    CREATED = "created"
    LINK = "link"


class SetupService:
    """Makes the first admin, and never a second one."""

    def __init__(
        self, *, database: Database, hasher: Hasher, policy: PasswordPolicy, keys: KeyRing
    ) -> None:
        self._database = database
        self._hasher = hasher
        self._policy = policy
        self._keys = keys

    async def admin_exists(self) -> bool:
        """Say whether there is nothing to set up any more."""
        async with self._database.reading() as storage:
            return await storage.roles.admin_exists()

    async def new_link_token(self) -> str:
        """Return the token of a new set-up link; older links die."""
        token = new_token(TokenKind.SETUP)
        async with self._database.transaction(SYSTEM) as storage:
            mac = digest(self._keys, TokenKind.SETUP, token)
            await storage.setup_tokens.offer(mac, seconds=LINK_SECONDS)
            await storage.audit.note("setup.link_made")
        return token

    async def is_open(self, token: str) -> bool:
        """Say whether a link could be used now."""
        async with self._database.reading() as storage:
            macs = digests(self._keys, TokenKind.SETUP, token)
            return await storage.setup_tokens.good(macs) and not await storage.roles.admin_exists()

    async def create_by_link(self, token: str, new: NewUser, call: Call) -> None:
        """Create the first admin; raise SetupClosed, Invalid, EmailTaken.

        A mistake in the form does not cost the link: it is spent with the admin or not at all.
        """
        if not await self.is_open(token):
            raise SetupClosed
        if not await self._create(new, call.actor, token=token):
            raise SetupClosed

    async def create_from_settings(self, new: NewUser) -> bool:
        """Create the admin of ADMIN_EMAIL unless there is one; never changes anybody."""
        return await self._create(new, SYSTEM, token=None)

    async def _create(self, new: NewUser, actor: Actor, *, token: str | None) -> bool:
        self._policy.check(new.password, personal=(new.email, new.first_name, new.last_name))
        password_hash = await self._hasher.hash(new.password)
        async with self._database.transaction(actor) as storage:
            await storage.roles.lock_admins()
            if await storage.roles.admin_exists():
                return False
            macs = digests(self._keys, TokenKind.SETUP, token or "")
            if token is not None and not await storage.setup_tokens.spend(macs):
                return False
            user_id = await storage.users.add(
                email=new.email,
                password_hash=password_hash,
                first_name=new.first_name,
                last_name=new.last_name,
                email_verified=True,
            )
            await storage.roles.assign(user_id, BuiltInRole.ADMIN)
            await storage.audit.note("admin.created", subject=user_id)
        return True
