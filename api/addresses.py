"""The client's address: the socket's, unless the peer is a proxy we trust (docs/operations.md).

Only X-Forwarded-For is read. Forwarded (RFC 7239) and X-Real-IP are not: a proxy that sets one of
the three passes on whatever its client wrote into the others.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import islice

_SITE_PREFIX = 64
# More proxies in a row nobody has; whoever sends 10,000 hops makes us look at these only.
_MAX_HOPS = 32
# An IPv6 address with its zone, brackets and port; what is longer is not worth remembering.
_MAX_TEXT = 80
_REMEMBERED = 4_096
_NO_ADDRESS = "0.0.0.0"  # noqa: S104 - what a Unix socket shows, nothing is bound to it

_BRACKETED = re.compile(r"\[([^\[\]]+)\](?::[0-9]{1,5})?")
_WITH_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}")

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def client_address(
    remote: str | None, forwarded_for: Sequence[str], *, trusted: Sequence[Network]
) -> str:
    """Return the right-most address that no trusted proxy vouches to be one of its own.

    `remote` is the socket's peer, `forwarded_for` the X-Forwarded-For headers in their order. They
    are read only when the peer itself is trusted, and from the right: what stands further left was
    written by whoever sent the request. What is no address ends the reading, so the answer is the
    last hop that somebody we trust has seen.
    """
    if not forwarded_for:
        return _peer(remote or "")
    address = parse_address(remote or "")
    if address is None:
        return _NO_ADDRESS
    if within(address, trusted):
        for hop in forwarded_hops(forwarded_for):
            if hop is None:
                break
            address = hop
            if not within(hop, trusted):
                break
    return str(address)


@lru_cache(maxsize=_REMEMBERED)
def _peer(remote: str) -> str:
    return str(parse_address(remote) or _NO_ADDRESS)


def forwarded_hops(forwarded_for: Sequence[str]) -> Iterator[Address | None]:
    """Give the hops of X-Forwarded-For from the right, None for what is no address.

    Several such headers are one list in their order, and empty elements are none (RFC 9110, 5.6.1).
    """
    line = ",".join(forwarded_for)
    for hop in islice(reversed(line.rsplit(",", _MAX_HOPS)), _MAX_HOPS):
        if text := hop.strip():
            yield parse_address(text)


def site_of(address: str) -> str:
    """Return what limits count by: an IPv4 address, or the /64 of an IPv6 one."""
    parsed = parse_address(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, _SITE_PREFIX), strict=False))
    return address


def within(address: Address, networks: Sequence[Network]) -> bool:
    """Say whether the address lies in one of the networks."""
    return any(address in network for network in networks)


def parse_address(text: str) -> Address | None:
    """Return the address in a text, its port, brackets and zone left out; None when it is none."""
    return _parsed(text) if len(text) <= _MAX_TEXT else None


@lru_cache(maxsize=_REMEMBERED)
def _parsed(text: str) -> Address | None:
    match = _BRACKETED.fullmatch(text) or _WITH_PORT.fullmatch(text)
    try:
        address = ip_address((match[1] if match else text).partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
