"""Where a name leads: looked up off the loop, once for all who ask, and remembered for a while."""

from __future__ import annotations

import asyncio
import socket
from asyncio import AbstractEventLoop, Task
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

#: How long an answer is used. Seconds.
DNS_CACHE_S: Final = 30.0

#: As `socket.getaddrinfo` gives them.
Address = tuple[
    socket.AddressFamily,
    socket.SocketKind,
    int,
    str,
    tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes],
]
Name = tuple[str, int]


@dataclass(slots=True)
class _Known:
    addresses: Sequence[Address]
    until: float
    turn: int = 0

    def next(self) -> list[Address]:
        """All of them, another one first each time."""
        first = self.turn % len(self.addresses)
        self.turn += 1
        return [*self.addresses[first:], *self.addresses[:first]]


class Addresses:
    """Of one event loop."""

    def __init__(self, loop: AbstractEventLoop, *, cache_s: float = DNS_CACHE_S) -> None:
        self._loop = loop
        self._cache_s = cache_s
        self._known: dict[Name, _Known] = {}
        self._lookups: dict[Name, Task[Sequence[Address]]] = {}

    async def of(self, host: str, port: int) -> list[Address]:
        """The addresses of a host, at least one. Raises OSError, and ValueError for no name."""
        if _is_literal(host):
            return list(await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        name = (host, port)
        known = self._known.get(name)
        if known is None or self._loop.time() >= known.until:
            found = await asyncio.shield(self._lookup(name))
            known = self._known[name] = _Known(found, self._loop.time() + self._cache_s)
        return known.next()

    def forget(self, host: str, port: int) -> None:
        """None of its addresses answers: ask anew next time."""
        self._known.pop((host, port), None)

    def close(self) -> None:
        """Give up what is being looked up."""
        for lookup in self._lookups.values():
            lookup.cancel()

    def _lookup(self, name: Name) -> Task[Sequence[Address]]:
        lookup = self._lookups.get(name)
        if lookup is None:
            lookup = self._lookups[name] = self._loop.create_task(self._look_up(name))
            lookup.add_done_callback(_seen)
        return lookup

    async def _look_up(self, name: Name) -> Sequence[Address]:
        try:
            return await self._loop.getaddrinfo(*name, type=socket.SOCK_STREAM)
        finally:
            del self._lookups[name]


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _seen(lookup: Task[Sequence[Address]]) -> None:
    """Those who asked may all have left: then nobody else looks at how it ended."""
    if not lookup.cancelled():
        lookup.exception()
