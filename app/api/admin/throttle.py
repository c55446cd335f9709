"""Whoever shows wrong keys has to wait: ten of them in a minute, then nothing until it is over."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from math import ceil
from typing import ClassVar, Final

import structlog

from app.errors import RequestError

WRONG_KEYS: Final = 10
WINDOW_S: Final = 60.0
#: Remembered at once; above that the one that was longest silent is forgotten.
MOST_SOURCES: Final = 1024
#: What one machine has of IPv6 at least (RFC 4291, section 2.5.4).
_IPV6_PREFIX: Final = 64


class TooManyWrongKeys(RequestError):
    """Too many wrong keys came from this source."""

    status = 429
    code = "too_many_wrong_keys"
    should_retry: ClassVar[bool | None] = False


@dataclass(slots=True)
class _Window:
    ends: float
    wrong: int = 0


class WrongKeys:
    """How many wrong keys each source has shown. A right key from another source is let in."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now` is monotonic, in seconds."""
        self._now = now
        self._windows: OrderedDict[str, _Window] = OrderedDict()

    def __len__(self) -> int:
        return len(self._windows)

    def require_patience(self, address: str) -> None:
        """Raise TooManyWrongKeys where this address has to wait, whatever key it shows now."""
        window = self._windows.get(_source(address))
        left = window.ends - self._now() if window else 0.0
        if window and left > 0 and window.wrong >= WRONG_KEYS:
            message = f"Too many wrong keys came from this address: wait {ceil(left)} s."
            raise TooManyWrongKeys(message, retry_after_s=left)

    def note(self, address: str) -> None:
        """A wrong key came from there."""
        source = _source(address)
        window = self._windows.pop(source, None)
        if window is None or window.ends <= self._now():
            window = _Window(self._now() + WINDOW_S)
        window.wrong += 1
        self._windows[source] = window
        if len(self._windows) > MOST_SOURCES:
            self._windows.popitem(last=False)
        if window.wrong == WRONG_KEYS:
            structlog.get_logger().warning("admin_keys_refused", source=source)


def _source(address: str) -> str:
    """The IPv4 address, the IPv6 network, or what is neither, as it is."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    found = _unmapped(found)
    prefix = _IPV6_PREFIX if isinstance(found, IPv6Address) else found.max_prefixlen
    return str(ip_network((str(found), prefix), strict=False))


def _unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """An IPv4 address that a listener for both families writes as IPv6."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
