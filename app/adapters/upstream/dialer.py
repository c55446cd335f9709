"""New connections: name, TCP and TLS, within one limit."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from asyncio import AbstractEventLoop
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

from aiohappyeyeballs import start_connection

from app.adapters.upstream.addresses import Address, Addresses
from app.adapters.upstream.connection import Connection
from app.adapters.upstream.target import Origin
from app.errors import Overloaded, UpstreamMisconfigured, UpstreamUnreachable
from app.settings.endpoint import address_fault

#: How long one address is tried before another one is tried beside it (RFC 8305, section 8).
_NEXT_ADDRESS_AFTER_S: Final = 0.25
#: A connection over which nothing goes is asked for a sign of life, so that no address translation
#: on the way forgets it while a model thinks; Azure's load balancers do after four minutes.
_SILENCE_S: Final = 60
#: How long what was sent may stay unacknowledged. A machine or a network that is gone says nothing,
#: and an answer that does not stream may be waited for for minutes. Linux alone knows it.
_UNHEARD_MS: Final = 30_000

_FORBIDDEN: Final = "The upstream's name leads to an address that must not be called."

#: No file or memory was left for a socket, in this process or on its machine.
_SHORTAGES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_OPTIONS: Final = (
    (socket.IPPROTO_TCP, "TCP_NODELAY", 1),
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", _SILENCE_S),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", _SILENCE_S),
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", _UNHEARD_MS),
)


class Dialer:
    """Opens connections; `make` makes the protocol of one."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        addresses: Addresses,
        make: Callable[[Origin], Connection],
    ) -> None:
        """Certificates are checked against what OpenSSL finds: `SSL_CERT_FILE` names others."""
        self._loop = loop
        self._addresses = addresses
        self._make = make
        self._tls = ssl.create_default_context()
        self._tls.set_alpn_protocols(["http/1.1"])

    async def dial(self, origin: Origin, limit_s: float) -> Connection:
        """A new connection.

        Raises UpstreamUnreachable, also after `limit_s` seconds, UpstreamMisconfigured for a name
        that is none, or that leads where nothing may be called, and Overloaded where this machine
        has no socket left: that says nothing of the upstream.
        """
        try:
            async with asyncio.timeout(limit_s):
                return await self._connected(origin)
        except TimeoutError:
            raise UpstreamUnreachable("The upstream could not be reached in time.") from None
        except (OSError, RuntimeError) as error:  # uvloop has a RuntimeError for some
            if _is_short_of_sockets(error):
                message = "This replica can open no more connections. Please retry shortly."
                raise Overloaded(message, retry_after_s=1.0) from error
            self._addresses.forget(origin.host, origin.port)
            raise UpstreamUnreachable("The upstream could not be reached.") from error
        except ValueError:
            raise UpstreamMisconfigured("The upstream's URL is not valid.") from None

    async def _connected(self, origin: Origin) -> Connection:
        found = await self._addresses.of(origin.host, origin.port)
        addresses = [each for each in found if _may_be_called(each, origin)]
        if not addresses:
            raise UpstreamMisconfigured(_FORBIDDEN)
        sock = await start_connection(
            addresses, happy_eyeballs_delay=_NEXT_ADDRESS_AFTER_S, loop=self._loop
        )
        _set_options(sock)
        _, connection = await self._loop.create_connection(
            lambda: self._make(origin),
            sock=sock,
            ssl=self._tls if origin.is_tls else None,
            server_hostname=origin.host if origin.is_tls else None,
        )
        return connection


def _may_be_called(address: Address, origin: Origin) -> bool:
    """Whether a name leads where its configured URL may lead: never to a metadata service."""
    number = str(address[4][0]).partition("%")[0]  # without the interface of a link's own address
    return address_fault(ip_address(number), "https" if origin.is_tls else "http") is None


def _is_short_of_sockets(error: OSError | RuntimeError) -> bool:
    """Whether that is why; what a lookup of a name says does not tell, so that one is tried."""
    try:
        if isinstance(error, socket.gaierror):
            socket.socket().close()
    except OSError as tried:
        error = tried
    return isinstance(error, OSError) and error.errno in _SHORTAGES


def _set_options(sock: socket.socket) -> None:
    """Those that this system knows."""
    for level, name, value in _OPTIONS:
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(level, option, value)
