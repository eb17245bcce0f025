"""Call: who calls, from where, under which request id; and its key on the request."""

from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from storage.actor import Actor, ActorKind
from storage.claims import Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A caller whose access token was good."""

    user_id: UUID
    session_id: UUID


@dataclass(slots=True, kw_only=True)
class Call:
    """One request, as services see it."""

    request_id: str
    address: str
    user_agent: str
    principal: Principal | None = None
    claim: Claim | None = None

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
