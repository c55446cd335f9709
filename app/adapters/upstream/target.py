"""URLs taken apart, once each: which server, and the lines of a request that name its resource."""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urlsplit

from app.errors import UpstreamMisconfigured

#: URLs of stored responses differ from request to request: what is remembered is bounded.
MOST_REMEMBERED: Final = 1024

_PORTS: Final = {"http": 80, "https": 443}
#: Nothing compressed is asked for: what comes is passed on as it is.
_SAME_IN_ALL: Final = "accept-encoding: identity\r\nuser-agent: spillgate\r\n"


class Origin:
    """One server; there is one of each, so that it is told apart by being itself."""

    __slots__ = ("host", "is_tls", "port")

    def __init__(self, host: str, port: int, *, is_tls: bool) -> None:
        self.host: Final = host
        self.port: Final = port
        self.is_tls: Final = is_tls


class Target:
    """One resource; `lines` is what a request's head holds after the method, for every request."""

    __slots__ = ("lines", "origin")

    def __init__(self, origin: Origin, lines: str) -> None:
        self.origin: Final = origin
        self.lines: Final = lines


class Targets:
    """Targets by URL."""

    def __init__(self) -> None:
        self.origins: dict[tuple[str, int, bool], Origin] = {}
        self._by_url: dict[str, Target] = {}

    def of(self, url: str) -> Target:
        """The target of an absolute URL. Raises UpstreamMisconfigured."""
        target = self._by_url.get(url)
        if target is None:
            if len(self._by_url) >= MOST_REMEMBERED:
                self._by_url.clear()
            target = self._by_url[url] = self._parsed(url)
        return target

    def _parsed(self, url: str) -> Target:
        parts, host, port = _split(url)
        is_tls = parts.scheme == "https"
        key = (host, port or _PORTS[parts.scheme], is_tls)
        origin = self.origins.get(key)
        if origin is None:
            origin = self.origins[key] = Origin(key[0], key[1], is_tls=is_tls)
        name = f"[{host}]" if ":" in host else host
        authority = name if port in {None, _PORTS[parts.scheme]} else f"{name}:{port}"
        query = f"?{parts.query}" if parts.query else ""
        resource = f"{parts.path or '/'}{query}"
        return Target(origin, f" {resource} HTTP/1.1\r\nhost: {authority}\r\n{_SAME_IN_ALL}")


def _split(url: str) -> tuple[SplitResult, str, int | None]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _invalid() from None
    # A line break would be the next line of the request.
    is_plain = url.isascii() and url.isprintable() and " " not in url
    if not is_plain or not host or parts.scheme not in _PORTS or "@" in parts.netloc:
        raise _invalid()
    return parts, host, port


def _invalid() -> UpstreamMisconfigured:
    return UpstreamMisconfigured("The upstream's URL is not valid.")
