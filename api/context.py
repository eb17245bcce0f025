"""Call: who calls, from where, what, under which request id; and its key on the request."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from aiohttp import web

from api.deprecations import Deprecation
from api.limits import Decision
from api.preconditions import ANYTHING, Expected
from storage.actor import Actor, ActorKind
from storage.claims import Claim
from storage.roles import Permission
from storage.users import User

# The route of what nobody answers.
UNMATCHED = "unmatched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A caller whose access token was good, and what they are now, whatever the token says."""

    # Themselves, as old as the watch of revocations allows: below a second.
    user: User
    # What their roles permit.
    permissions: frozenset[str] = field(repr=False)
    session_id: UUID
    # When they last gave a password or another proof, in this session.
    authenticated_at: datetime

    @property
    def user_id(self) -> UUID:
        """Who it is."""
        return self.user.id

    def may(self, *permissions: Permission) -> bool:
        """Say whether any of these is among what their roles permit."""
        return not self.permissions.isdisjoint(permissions)


@dataclass(slots=True, kw_only=True)
class Call:
    """One request, as services see it."""

    request_id: str
    address: str
    user_agent: str
    # The path of the endpoint's declaration: a bounded label, unlike the path of the request.
    route: str = UNMATCHED
    # What a device is known by, if it showed it (`X-Device-Token`, or its cookie).
    device_token: str = field(default="", repr=False)
    principal: Principal | None = None
    claim: Claim | None = None
    # The versions that If-Match and If-None-Match allow to be changed.
    expected: Expected = ANYTHING
    # What the limit said that the answer tells of.
    decision: Decision | None = None
    deprecation: Deprecation | None = None

    def check_version(self, version: int) -> None:
        """Raise PreconditionFailed for a version the caller does not mean; lock the row before."""
        self.expected.check(version)

    @property
    def actor(self) -> Actor:
        """Who acts, for the audit trail."""
        return Actor(
            kind=ActorKind.USER if self.principal else ActorKind.ANONYMOUS,
            id=self.principal.user_id if self.principal else None,
            address=self.address,
            request_id=self.request_id,
            claim=self.claim,
        )


CALL = web.RequestKey("call", Call)
