"""From an access token to a principal: the token must be good, and its session still live."""

import time
from collections import OrderedDict
from hashlib import sha256

from api.auth.presence import Presence
from api.auth.tokens import Claims, Tokens
from api.context import Principal
from api.problems import InvalidToken
from ops.metrics import Metrics
from ops.metrics.unlocked import counter_of
from storage.holders import Holder

_MAX_TOKENS = 20_000


class Identity:
    """Turns access tokens into principals; a token seen before costs no signature and no query."""

    def __init__(self, tokens: Tokens, presence: Presence, metrics: Metrics) -> None:
        self._tokens = tokens
        self._presence = presence
        self._verified: OrderedDict[bytes, Claims] = OrderedDict()
        self._count_known = counter_of(metrics.tokens_checked.labels("known"))
        self._looked_up = metrics.tokens_checked.labels("looked_up")
        self._refused = metrics.tokens_checked.labels("refused")

    async def identify(self, token: str) -> Principal:
        """Return who a token was given to; raise InvalidToken when it is good no longer.

        The facts may be as old as the watch of revocations allows: below a second.
        """
        claims = await self._claims(token)
        holder = self._presence.known(claims.session_id)
        if holder:
            self._count_known()
            return self._principal(claims, holder)
        return await self._now(claims)

    async def identify_now(self, token: str) -> Principal:
        """Return the same from the facts of this moment, for what must not rely on a memory."""
        return await self._now(await self._claims(token))

    def forget(self) -> None:
        """Verify every token anew: a signing key is good no longer."""
        self._verified.clear()

    async def _now(self, claims: Claims) -> Principal:
        holder = await self._presence.look(claims.session_id)
        if holder is None:
            self._refused.inc()
            raise InvalidToken
        self._looked_up.inc()
        return self._principal(claims, holder)

    async def _claims(self, token: str) -> Claims:
        digest = sha256(token.encode("utf-8", "surrogatepass")).digest()
        claims = self._verified.get(digest)
        if claims and claims.expires_at > time.time():
            return claims
        self._verified.pop(digest, None)
        try:
            claims = await self._tokens.verify(token)
        except InvalidToken:
            self._refused.inc()
            raise
        self._verified[digest] = claims
        if len(self._verified) > _MAX_TOKENS:
            self._verified.popitem(last=False)
        return claims

    def _principal(self, claims: Claims, holder: Holder) -> Principal:
        if holder.user.id != claims.user_id or holder.epoch != claims.epoch:
            self._refused.inc()
            raise InvalidToken
        return Principal(
            user=holder.user,
            permissions=holder.permissions,
            session_id=holder.session_id,
            authenticated_at=holder.authenticated_at,
        )
