"""Who a client is, as proxies say that stand before the gateway; nobody is believed unless named.

Each proxy appends the address that it was asked from to `X-Forwarded-For`. Read from its end, that
is true as long as a proxy of ours wrote it; the first address that is none of ours is the client.
What stands before that the client may have written itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

#: Addresses that are looked at; nobody has as many proxies in a row.
_MOST: Final = 32
_SCHEMES: Final = frozenset({"http", "https"})

Address = IPv4Address | IPv6Address


class TrustedProxies:
    """Addresses whose forwarded headers are believed."""

    def __init__(self, networks: Iterable[str]) -> None:
        """Addresses and networks in the form of 10.0.0.0/8. Raises ValueError."""
        found = [ip_network(each, strict=False) for each in networks]
        self._v4 = tuple(each for each in found if isinstance(each, IPv4Network))
        self._v6 = tuple(each for each in found if isinstance(each, IPv6Network))

    def trust(self, address: str) -> bool:
        """Whether this one is a proxy of ours; an address that is none is not."""
        parsed = _parsed(address)
        return parsed is not None and self._trusts(parsed)

    def client(self, peer: str, forwarded_for: str) -> str:
        """Who asks, where `peer` is trusted: the last in the list that is no proxy of ours.

        Where a proxy wrote what is no address, such as `unknown`, the one that wrote it is all that
        is known.
        """
        known = peer
        for each in reversed(forwarded_for.split(",")[-_MOST:]):
            parsed = _parsed(each)
            if parsed is None:
                return known
            known = str(parsed)
            if not self._trusts(parsed):
                return known
        return known

    def scheme(self, forwarded_proto: str, own: str) -> str:
        """What the client spoke with the nearest proxy, where that says so; else `own`."""
        said = forwarded_proto.rpartition(",")[2].strip(" \t").lower()
        return said if said in _SCHEMES else own

    def _trusts(self, address: Address) -> bool:
        networks: Iterable[IPv4Network | IPv6Network]
        networks = self._v4 if isinstance(address, IPv4Address) else self._v6
        return any(address in each for each in networks)


def plain(address: str) -> str:
    """An address as it is written here: IPv4 that came as IPv6 is IPv4; no zone."""
    parsed = _parsed(address)
    return address if parsed is None else str(parsed)


def _parsed(text: str) -> Address | None:
    """An address of a list; some proxies write a port behind it."""
    text = text.strip(" \t")
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
