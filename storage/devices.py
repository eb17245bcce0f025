"""Browsers and apps that people signed in from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ops.ids import new_id

ADD = "INSERT INTO devices (id, user_id, site, agent_mac) VALUES ($1, $2, $3, $4)"

SEEN = """
UPDATE devices SET site = $2, agent_mac = $3, last_seen_at = now(), updated_at = now()
WHERE id = $1
"""

# By the token it shows, or by the place it calls from; the second one is easier to imitate.
KNOWN = """
SELECT
    (SELECT id FROM devices WHERE user_id = $1 AND id = $2) AS by_token,
    (SELECT id FROM devices WHERE user_id = $1 AND site = $3 AND agent_mac = ANY($4::bytea[])
     ORDER BY last_seen_at DESC LIMIT 1) AS by_place
"""

FORGET_ALL = "DELETE FROM devices WHERE user_id = $1"

COUNT = "SELECT count(*) FROM devices WHERE user_id = $1"

PURGE = """
DELETE FROM devices WHERE id IN (
    SELECT id FROM devices WHERE last_seen_at < now() - make_interval(days => $1) LIMIT $2
)
"""


@dataclass(frozen=True, slots=True)
class KnownAs:
    """Which device of a person calls: by its token, by its address and user agent, or neither."""

    by_token: UUID | None
    by_place: UUID | None


class Devices:
    """Devices people are known by."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def add(self, user_id: UUID, *, site: str, agent_mac: bytes) -> UUID:
        """Keep a device; return its id."""
        device_id = new_id()
        await self._connection.execute(ADD, device_id, user_id, site, agent_mac)
        return device_id

    async def known(
        self, user_id: UUID, *, device_id: UUID | None, site: str, agent_macs: Sequence[bytes]
    ) -> KnownAs:
        """Look a caller up among the devices of a person; costs the same for NOBODY."""
        row = await self._connection.fetchrow(KNOWN, user_id, device_id, site, list(agent_macs))
        return KnownAs(*row.values())

    async def seen(self, device_id: UUID, *, site: str, agent_mac: bytes) -> None:
        """Note that a known device signed in, and from where."""
        await self._connection.execute(SEEN, device_id, site, agent_mac)

    async def count(self, user_id: UUID) -> int:
        """Count the devices of a person."""
        return int(await self._connection.fetchval(COUNT, user_id))

    async def forget_all(self, user_id: UUID) -> None:
        """Know no device of a person any more."""
        await self._connection.execute(FORGET_ALL, user_id)

    async def purge(self, *, days: int, limit: int) -> int:
        """Delete devices not seen for so many days; return how many."""
        return int((await self._connection.execute(PURGE, days, limit)).split()[-1])
