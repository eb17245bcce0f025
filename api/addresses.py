"""The client's address: the socket's, unless the peer is a proxy we trust (CONTRACT section 3)."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp import web

_SITE_PREFIX = 64

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def client_address(request: web.Request, trusted: Sequence[Network]) -> str:
    """Return the right-most address that no trusted proxy vouches to be one of its own.

    X-Forwarded-For is read only when the peer itself is trusted, and from the right: what stands
    further left was written by whoever sent the request.
    """
    peer = _parse(request.remote or "")
    if peer is None or not _within(peer, trusted):
        return str(peer) if peer else "0.0.0.0"  # noqa: S104 - a Unix socket has no address
    hops = ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")
    for hop in reversed(hops):
        address = _parse(hop.strip())
        if address is None:
            break
        peer = address
        if not _within(address, trusted):
            break
    return str(peer)


def site_of(address: str) -> str:
    """Return what limits count by: an IPv4 address, or the /64 of an IPv6 one."""
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, _SITE_PREFIX), strict=False))
    return address


def _parse(text: str) -> Address | None:
    try:
        address = ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
