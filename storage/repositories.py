"""Storage: every repository over one connection."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import asyncpg

from ops.crypto import KeyRing
from storage.actor import Actor
from storage.attempts import Attempts
from storage.audit import AuditInbox, Noted
from storage.backlog import Backlog
from storage.clock_slots import ClockSlots
from storage.content import Content
from storage.credentials import Credentials
from storage.devices import Devices
from storage.email_changes import EmailChanges
from storage.email_verifications import EmailVerifications
from storage.history import History
from storage.holders import Holders
from storage.idempotency import IdempotencyKeys
from storage.ledger import Ledger
from storage.ledger.search import AuditTrail
from storage.letters import Letters
from storage.outbox import Outbox
from storage.password_resets import PasswordResets
from storage.profiles import Profiles
from storage.quarantine import Quarantine
from storage.queue_pauses import QueuePauses
from storage.revocations import Revocations
from storage.roles import Roles
from storage.sessions import Sessions
from storage.setup_tokens import SetupTokens
from storage.sign_ins import SignIns
from storage.signing_keys import SigningKeys
from storage.statistics import Statistics
from storage.teams import Teams
from storage.users import Users

PING = "SELECT 1"

NEWEST_MIGRATION = "SELECT coalesce(max(version), '') FROM schema_migrations"


class Storage:
    """Every repository over one connection; inside a transaction also who acts, and the outbox."""

    def __init__(
        self, connection: Any, keys: KeyRing, actor: Actor | None, *, reader: Actor | None = None
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._actor = actor
        self._reader = reader

    @cached_property
    def users(self) -> Users:
        """People."""
        return Users(self._connection)

    @cached_property
    def roles(self) -> Roles:
        """Roles and who has them."""
        return Roles(self._connection)

    @cached_property
    def teams(self) -> Teams:
        """Teams and who is in them."""
        return Teams(self._connection)

    @cached_property
    def profiles(self) -> Profiles:
        """What people tell of themselves."""
        return Profiles(self._connection, self._keys)

    @cached_property
    def content(self) -> Content:
        """The documents' protected resource."""
        return Content(self._connection)

    @cached_property
    def sessions(self) -> Sessions:
        """Signed-in devices."""
        return Sessions(self._connection)

    @cached_property
    def sign_ins(self) -> SignIns:
        """Sign-ins."""
        return SignIns(self._connection)

    @cached_property
    def holders(self) -> Holders:
        """Who is behind live sessions."""
        return Holders(self._connection)

    @cached_property
    def signing_keys(self) -> SigningKeys:
        """Keys that sign access tokens."""
        return SigningKeys(self._connection, self._keys)

    @cached_property
    def email_verifications(self) -> EmailVerifications:
        """Proofs that an e-mail address is someone's own."""
        return EmailVerifications(self._connection)

    @cached_property
    def credentials(self) -> Credentials:
        """What people prove themselves with."""
        return Credentials(self._connection)

    @cached_property
    def email_changes(self) -> EmailChanges:
        """Changes of e-mail address."""
        return EmailChanges(self._connection)

    @cached_property
    def password_resets(self) -> PasswordResets:
        """Permissions to choose a new password."""
        return PasswordResets(self._connection)

    @cached_property
    def devices(self) -> Devices:
        """Browsers and apps people signed in from."""
        return Devices(self._connection)

    @cached_property
    def revocations(self) -> Revocations:
        """What web processes must forget."""
        return Revocations(self._connection)

    @cached_property
    def attempts(self) -> Attempts:
        """Failed sign-ins per account."""
        return Attempts(self._connection)

    @cached_property
    def setup_tokens(self) -> SetupTokens:
        """One-time links for the first admin."""
        return SetupTokens(self._connection)

    @cached_property
    def letters(self) -> Letters:
        """Letters and what became of them."""
        return Letters(self._connection)

    @cached_property
    def outbox(self) -> Outbox:
        """Jobs promised, kept until done."""
        return Outbox(self._connection, self._actor)

    @cached_property
    def backlog(self) -> Backlog:
        """The same jobs, as administrators handle them."""
        return Backlog(self._connection, self._actor)

    @cached_property
    def pauses(self) -> QueuePauses:
        """Queues that wait for a server."""
        return QueuePauses(self._connection)

    @cached_property
    def audit(self) -> AuditInbox:
        """The audit trail's inbox."""
        return AuditInbox(self._connection, self._actor or self._reader)

    @cached_property
    def ledger(self) -> Ledger:
        """The audit trail, sealed."""
        return Ledger(self._connection, self._keys)

    @cached_property
    def trail(self) -> AuditTrail:
        """What happened, for who may see it."""
        return AuditTrail(self._connection)

    @cached_property
    def idempotency(self) -> IdempotencyKeys:
        """Requests that may be repeated."""
        return IdempotencyKeys(self._connection, self._keys, self._actor)

    @cached_property
    def clock(self) -> ClockSlots:
        """Slots of periodic work."""
        return ClockSlots(self._connection, self._actor)

    @cached_property
    def history(self) -> History:
        """What is over."""
        return History(self._connection)

    @cached_property
    def statistics(self) -> Statistics:
        """Numbers of days."""
        return Statistics(self._connection)

    @cached_property
    def quarantine(self) -> Quarantine:
        """Broker messages that were none of ours."""
        return Quarantine(self._connection)

    @property
    def promised(self) -> bool:
        """Whether this transaction put anything into the outbox."""
        return any(getattr(part, "promised", False) for part in self.__dict__.values())

    @property
    def noted(self) -> Sequence[Noted]:
        """What was noted for the audit trail."""
        return self.__dict__["audit"].noted if "audit" in self.__dict__ else ()

    @property
    def revoked(self) -> bool:
        """Whether this transaction ended a session or changed what one may."""
        return any(getattr(part, "revoked", False) for part in self.__dict__.values())

    async def ping(self) -> None:
        """Ask the server for a sign of life."""
        await self._connection.fetchval(PING)

    async def newest_migration(self) -> str:
        """Return the version of the newest applied migration, empty when there is none."""
        try:
            return str(await self._connection.fetchval(NEWEST_MIGRATION))
        except asyncpg.UndefinedTableError:
            return ""
