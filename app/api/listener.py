"""Addresses that are listened on, bound before anybody serves there, and what clients may take."""

from __future__ import annotations

import socket
import sys
from typing import Final

import msgspec
import structlog

BACKLOG: Final = 2048
#: Whether new connections are spread over all sockets that share an address.
SPREADS: Final = sys.platform == "linux"


class ConnectionLimits(msgspec.Struct, frozen=True):
    """What the connections of a listener may take; times in seconds."""

    #: From a connection, or a request's first byte, to its last header.
    header_s: float = 10.0
    #: From there to the end of its body.
    body_s: float = 30.0
    #: Without a request.
    keep_alive_s: float = 75.0
    #: Without taking any of an answer.
    write_stall_s: float = 30.0
    #: At once; whoever comes when there are more is refused.
    most: int = 10_000


class Crowd:
    """Whether one more connection is let in; whoever is not is counted."""

    def __init__(self, most: int) -> None:
        """So many at once."""
        self._most = most
        self._is_over = False
        self.refused_total = 0

    def lets_in(self, there: int) -> bool:
        """Whether there is room beside so many; the log is told when there is none, once."""
        if there < self._most:
            self._is_over = self._is_over and there > self._most // 2
            return True
        self.refused_total += 1
        if not self._is_over:
            self._is_over = True
            structlog.get_logger().warning("connections refused", most=self._most)
        return False


class CannotListen(Exception):
    """An address cannot be listened on; the message names it and says why."""


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A socket to listen on; port 0 takes a free one. Raises CannotListen.

    `shared`: with whoever else shares it, which on Linux spreads connections over all of them.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only where the protocol is named; else small answers wait 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        message = f"cannot listen on {host}:{port}: {error.strerror}"
        raise CannotListen(message) from None
    listener.settimeout(0)
    return listener


def hold(host: str, port: int, *, spreads: bool = SPREADS) -> socket.socket:
    """An address for processes that this one starts; port 0 takes a free one. Raises CannotListen.

    Where the kernel `spreads` connections the address is only kept: others `bind` it shared.
    Elsewhere it listens, and is to be inherited. Keeping it is no sharing with strangers: nobody
    may listen there already.
    """
    holder = bind(host, port)
    if spreads:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    else:
        holder.listen(BACKLOG)
    return holder
