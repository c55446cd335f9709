"""Which addresses a deployment may be called at.

The host of every upstream call comes from here and nowhere else, so this is where requests
forged against the cloud's metadata service are stopped.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

_LABEL: Final = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_DNS_NAME: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
# Resolvers read a name whose last label is a number as an IPv4 address in disguise.
_NUMERIC_LABEL: Final = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_METADATA_NAMES: Final = frozenset({"metadata", "metadata.google.internal", "instance-data"})
_METADATA_ADDRESSES: Final = frozenset(
    {ip_address("100.100.100.200"), ip_address("168.63.129.16"), ip_address("fd00:ec2::254")}
)


def endpoint_fault(url: str) -> str | None:
    """What forbids calling `url`, or None.

    Allowed: https to any host, http to loopback only. Denied: user names, queries, fragments,
    link-local, metadata, multicast and unspecified addresses, and numbers that disguise them.
    """
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "must be a plain URL without spaces or control characters"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is not a URL: the host or the port is malformed"
    if parts.scheme not in {"http", "https"} or not host:
        return "must begin with https:// and a host"
    return _shape_fault(parts, url) or _host_fault(host.lower(), parts.scheme)


def _shape_fault(parts: SplitResult, url: str) -> str | None:
    if "@" in parts.netloc:
        return "must not hold a user name or password; use auth"
    if "?" in url:
        return "must not hold a query"
    if "#" in url:
        return "must not hold a fragment"
    if any(segment in {".", ".."} for segment in parts.path.split("/")):
        return "must not hold '.' or '..' segments"
    return None


def address_fault(address: IPv4Address | IPv6Address, scheme: str) -> str | None:
    """What forbids calling an address, whether it was given or a name led there; or None."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return _address_fault(mapped or address, scheme)


def _host_fault(host: str, scheme: str) -> str | None:
    try:
        address = ip_address(host)
    except ValueError:
        return _name_fault(host, scheme)
    return address_fault(address, scheme)


def _name_fault(host: str, scheme: str) -> str | None:
    if not _DNS_NAME.fullmatch(host):
        return "is not a URL: the host is malformed"
    name = host.rstrip(".")
    if _NUMERIC_LABEL.fullmatch(name.rsplit(".", 1)[-1]):
        return "is not a URL: the host is a malformed IP address"
    if name in _METADATA_NAMES:
        return "must not be a metadata service"
    if scheme == "http" and name != "localhost":
        return "must be https (http is for loopback hosts only)"
    return None


def _address_fault(address: IPv4Address | IPv6Address, scheme: str) -> str | None:
    if address in _METADATA_ADDRESSES or address.is_link_local:
        return "must not be a link-local or metadata address"
    if address.is_unspecified or address.is_multicast:
        return "must not be an unspecified or multicast address"
    if scheme == "http" and not address.is_loopback:
        return "must be https (http is for loopback hosts only)"
    return None
