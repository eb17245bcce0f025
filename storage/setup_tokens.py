"""One-time links that let the first admin in."""

from collections.abc import Sequence
from typing import Any

from ops.ids import new_id

# A newer link replaces the older ones.
OFFER = """
WITH older AS (DELETE FROM setup_tokens)
INSERT INTO setup_tokens (id, token_mac, expires_at)
VALUES ($1, $2, now() + make_interval(secs => $3))
"""

GOOD = """
SELECT EXISTS (
    SELECT FROM setup_tokens
    WHERE token_mac = ANY($1::bytea[]) AND spent_at IS NULL AND expires_at > now()
)
"""

SPEND = """
UPDATE setup_tokens SET spent_at = now(), updated_at = now()
WHERE token_mac = ANY($1::bytea[]) AND spent_at IS NULL AND expires_at > now()
RETURNING true
"""


class SetupTokens:
    """Set-up links."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def offer(self, token_mac: bytes, *, seconds: int) -> None:
        """Keep the digest of a new link; older links die."""
        await self._connection.execute(OFFER, new_id(), token_mac, seconds)

    async def good(self, token_macs: Sequence[bytes]) -> bool:
        """Say whether a link could be spent now."""
        return bool(await self._connection.fetchval(GOOD, list(token_macs)))

    async def spend(self, token_macs: Sequence[bytes]) -> bool:
        """Spend a link; False when it is unknown, spent, replaced or too old."""
        return bool(await self._connection.fetchval(SPEND, list(token_macs)))
