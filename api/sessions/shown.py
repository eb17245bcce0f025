"""How sessions are shown to people: a device they know again, a place, no address."""

import asyncio
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any
from uuid import UUID

from ops.agents import name_of
from storage.sessions import OpenSession

# What is shown of an address: enough to recognize a place, not a household.
_SHOWN_BITS = {4: 24, 6: 48}


async def shown(sessions: Sequence[OpenSession], *, current: UUID) -> list[dict[str, Any]]:
    """Return what people see of sessions, for `SessionSchema`; `current` is the caller's own."""
    # In a thread: the first user agent loads a thousand patterns.
    return await asyncio.to_thread(_shown, sessions, current)


def _shown(sessions: Sequence[OpenSession], current: UUID) -> list[dict[str, Any]]:
    return [
        {
            "id": session.id,
            "device": name_of(session.user_agent or ""),
            "address_prefix": _prefix_of(session.address) if session.address else None,
            "created_at": session.created_at,
            "last_used_at": session.last_used_at,
            "expires_at": session.expires_at,
            "current": session.id == current,
        }
        for session in sessions
    ]


def _prefix_of(site: str) -> str:
    network = ip_network(site)
    return str(network.supernet(new_prefix=_SHOWN_BITS[network.version]))
