"""Where a server of a cluster is, and its URL made from the configured one."""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import urlsplit

_PORT: Final = 6379


class Address(NamedTuple):
    """A server's host and port; the host as a name, or as an address without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address_in(url: str) -> Address:
    """The server that a `redis://` or `rediss://` URL names."""
    parts = urlsplit(url)
    return Address(parts.hostname or "localhost", parts.port or _PORT)


def url_at(url: str, address: Address) -> str:
    """The same URL, credentials and options included, for another server."""
    parts = urlsplit(url)
    credentials, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{credentials}{at}{address}").geturl()
