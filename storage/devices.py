"""Browsers and apps that people signed in from."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ops.ids import new_id

# Unseen for so long a device is forgotten; its cookies live as long.
KEPT_DAYS = 180

ADD = "INSERT INTO devices (id, user_id, site, agent_mac) VALUES ($1, $2, $3, $4)"

FORGET_ALL = "DELETE FROM devices WHERE user_id = $1"

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

    async def forget_all(self, user_id: UUID) -> None:
        """Know no device of a person any more."""
        await self._connection.execute(FORGET_ALL, user_id)

    async def purge(self, *, days: int, limit: int) -> int:
        """Delete devices not seen for so many days; return how many."""
        return int((await self._connection.execute(PURGE, days, limit)).split()[-1])
