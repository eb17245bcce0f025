"""The peer that looked like a proxy but is not in TRUSTED_PROXIES: remembered in Redis for a week.

Web processes write it; whoever starts next and `doctor` read it. It is advice, never the truth.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from storage.redis import Redis

KEPT_SECONDS = 7 * 24 * 3_600

SUSPICION = "all requests come from one address that looks like a proxy; its callers share limits"

Network = IPv4Network | IPv6Network


async def suspected_proxy(redis: Redis, trusted: Sequence[Network]) -> str | None:
    """Return the remembered peer, unless it is trusted by now: then forget it.

    Raises RedisAway.
    """
    peer = await redis.suspected_proxy()
    if peer is None:
        return None
    try:
        address = ip_address(peer)
    except ValueError:  # nothing of ours wrote that
        return None
    if any(address in network for network in trusted):
        await redis.forget_proxy()
        return None
    return peer


def cure(peer: str, trusted: Sequence[Network]) -> str:
    """Return what the operator does about it, ready to be pasted into `.env`."""
    line = ",".join([*map(str, trusted), peer])
    return f"if {peer} is your proxy, set TRUSTED_PROXIES={line} and let it send X-Forwarded-For"
