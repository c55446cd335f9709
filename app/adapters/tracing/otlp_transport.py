"""HTTP for the SDK's OTLP exporter: one kept connection of the standard library.

The SDK's own transports load requests or urllib3, 2.4 and 1 MB in each worker.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

from opentelemetry.exporter.http.transport._base import BaseHTTPResult, BaseHTTPTransport

#: More of an answer is not read: it says at most how many spans were refused.
_MOST_READ: Final = 64 * 1024
_REDIRECTS: Final = range(300, 400)


class SentElsewhere(Exception):
    """A redirect: a login page, say, where a receiver should be; the SDK would call it taken."""


@dataclass(frozen=True, slots=True)
class Answer(BaseHTTPResult):
    """What the receiver said, or why it said nothing."""

    body: bytes = b""
    named: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        """What was read of the body."""
        return self.body

    def headers(self) -> Mapping[str, str]:
        """Their names in lower case, as the exporter asks for them."""
        return self.named


class KeptConnection(BaseHTTPTransport):
    """To one receiver; of one thread at a time. No proxy, no redirect, no password file."""

    def __init__(self, url: str, allowed: frozenset[str], ca: str | None = None) -> None:
        """`allowed` are the headers that are sent, in lower case; `ca` is a PEM file."""
        self._allowed = allowed
        self._connection = _connection(url, ca)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        timeout: float | None = None,
        data: bytes | None = None,
    ) -> BaseHTTPResult:
        """Raises nothing: what goes wrong is in the answer. `url` is one of the receiver's."""
        sent = {name: each for name, each in (headers or {}).items() if self._is_allowed(name)}
        self._wait_for(timeout)
        try:
            self._connection.request(method, urlsplit(url).path, data, sent)
            return self._answer()
        except (OSError, HTTPException, SentElsewhere) as error:
            self.close()
            return Answer(error=error)

    def is_connection_error(self, exception: Exception | None) -> bool:
        """Whether it may go better on a new connection."""
        return isinstance(exception, OSError | HTTPException)

    def close(self) -> None:
        """The next request connects anew."""
        self._connection.close()

    def _answer(self) -> Answer:
        response = self._connection.getresponse()
        body = response.read(_MOST_READ)
        if response.status in _REDIRECTS:
            raise SentElsewhere("The receiver sends spans elsewhere.")
        if not response.isclosed():
            self.close()
        named = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, response.reason, None, body, named)

    def _is_allowed(self, name: str) -> bool:
        return name.lower() in self._allowed

    def _wait_for(self, timeout_s: float | None) -> None:
        """Of each step of a request, on a connection that is open already, too."""
        self._connection.timeout = timeout_s
        if self._connection.sock is not None:
            self._connection.sock.settimeout(timeout_s)


def _connection(url: str, ca: str | None) -> HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "http":
        return HTTPConnection(host, parts.port)
    return HTTPSConnection(host, parts.port, context=ssl.create_default_context(cafile=ca))
