"""HTTP to upstreams over aiohttp: what our own client is compared with, in stories and figures.

Connections are kept for reuse, and an upstream may close one at any time. aiohttp notices a close
that came before it sends, and opens another. A close that crosses our request on the wire is a
failure which aiohttp repeats only for idempotent methods; a POST is repeated here, once and on a
new connection, where it can be told that the upstream never acted on it:

- the connection had served a request before (a new one is not closed for being idle),
- not one byte of an answer came,
- it broke within `RESEND_WITHIN_S` of sending: an idle close is there within a round trip, while
  an upstream that dies later may have been at work.

aiohttp 3.14 says none of this by itself. Its connector's `connect` hands out the connection, and
one whose protocol object was handed out before is being reused; `ServerDisconnectedError.message`
is the half-read response where there was one, and a fixed text where there was none.
"""

from __future__ import annotations

import asyncio
import errno
import io
from collections.abc import Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Final, Self
from weakref import WeakSet

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientOSError,
    ClientPayloadError,
    ClientRequest,
    ClientResponse,
    ClientResponseError,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    InvalidURL,
    NonHttpUrlClientError,
    ServerDisconnectedError,
    ServerFingerprintMismatch,
    TCPConnector,
)
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from app.adapters.upstream import Connections
from app.adapters.upstream.decompression import Inflater
from app.adapters.upstream.read_by_read import ReadByRead
from app.domain.routing.deployment import Timeouts
from app.errors import (
    UpstreamDisconnected,
    UpstreamError,
    UpstreamMisconfigured,
    UpstreamProtocolError,
    UpstreamTimeout,
    UpstreamUnreachable,
)

KEEP_ALIVE_S: Final = 30.0
DNS_CACHE_S: Final = 30
RESEND_WITHIN_S: Final = 1.0
#: The most that one read gives. A client that stalls holds its last read several times over (as
#: frames, as a chunk, in its socket's queue), beside what aiohttp had received before it paused.
READ_BYTES: Final = 32 * 1024

#: aiohttp warns of larger bodies given as bytes: it would copy them in one go.
_LARGE_BODY_BYTES: Final = 2**20
_HEADERS: Final = {"accept-encoding": "identity", "user-agent": "spillgate"}
#: Errors of a connection that is no more; aiohttp gives none where it found that out by itself.
_BROKEN_PIPE: Final = frozenset({errno.ECONNRESET, errno.EPIPE, None})

#: What aiohttp raises, and what it means; the first line that fits counts. Foreign messages are
#: not repeated: they name hosts, and a ClientResponseError holds our credential.
_MEANINGS: Final[tuple[tuple[type[Exception], type[UpstreamError], str], ...]] = (
    (ConnectionTimeoutError, UpstreamUnreachable, "The upstream could not be reached in time."),
    (ClientConnectorError, UpstreamUnreachable, "The upstream could not be reached."),
    (ServerFingerprintMismatch, UpstreamUnreachable, "The upstream's certificate is not its own."),
    (InvalidURL, UpstreamMisconfigured, "The upstream's URL is not valid."),
    (NonHttpUrlClientError, UpstreamMisconfigured, "The upstream's URL is not valid."),
    (TimeoutError, UpstreamTimeout, "The upstream did not answer in time."),
    (ClientPayloadError, UpstreamDisconnected, "The upstream's answer broke off."),
    (ClientResponseError, UpstreamProtocolError, "The upstream's answer is not valid HTTP."),
    (ServerDisconnectedError, UpstreamDisconnected, "The upstream closed the connection."),
    (OSError, UpstreamDisconnected, "The connection to the upstream broke."),
    (ClientError, UpstreamDisconnected, "The connection to the upstream broke."),
    (RuntimeError, UpstreamDisconnected, "The connection to the upstream is closed."),
    (ValueError, UpstreamMisconfigured, "The upstream's URL or credential is not valid in HTTP."),
)
_RAISED: Final = (ClientError, OSError, RuntimeError, ValueError)

#: Of the connection that the sending task was handed out; None: none yet.
_reused: ContextVar[bool | None] = ContextVar("connection_reused", default=None)


class AiohttpResponse(ReadByRead):
    """An answer whose headers are here."""

    def __init__(self, response: ClientResponse, deadline: float) -> None:
        """`deadline` ends the whole answer, on the event loop's clock."""
        self._response = response
        self._deadline = deadline
        self.status: Final = response.status
        self._headers = _joined(response.headers)
        encoding = self._headers.get("content-encoding", "identity")
        self._inflater = None if encoding.lower() == "identity" else Inflater(encoding)
        if self._inflater:
            del self._headers["content-encoding"]
            self._headers.pop("content-length", None)

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, names in lower case, of what `read` gives."""
        return self._headers

    async def read(self, patience_s: float) -> bytes:
        """The next bytes of the body; empty at its end, where the connection is free again.

        Raises TimeoutError after `patience_s` seconds of silence (reading may then go on),
        UpstreamTimeout at the end of the whole call's time, UpstreamDisconnected, and
        UpstreamProtocolError where the body is not what its headers say.
        """
        if self._inflater is None:
            return await self._raw(patience_s)
        while not (data := self._inflater.take()):
            packed = await self._raw(patience_s)
            if not packed:
                self._inflater.end()
                break
            self._inflater.feed(packed)
        return data

    def close(self) -> None:
        """Let go of the connection; an unread body ends it."""
        self._response.close()

    async def _raw(self, patience_s: float) -> bytes:
        content = self._response.content
        if content.exception() is not None:
            return self._before_the_break()
        left = self._deadline - asyncio.get_running_loop().time()
        if left <= 0:
            raise UpstreamTimeout("The upstream did not end its answer in time.")
        try:
            async with asyncio.timeout(min(patience_s, left)):
                return await content.read(READ_BYTES)
        except TimeoutError:
            if self._response.connection is None or self._response.connection.transport is None:
                return self._before_the_break()
            if left <= patience_s:
                raise UpstreamTimeout("The upstream did not end its answer in time.") from None
            raise
        except _RAISED:
            return self._before_the_break()

    def _before_the_break(self) -> bytes:
        """What had arrived when the body broke off, then the error.

        aiohttp would keep it back; among it may be the end of an answer that was whole.
        """
        content = self._response.content
        if not self._response.closed and (data := content._read_nowait(-1)):  # noqa: SLF001  # no other way to it
            return data
        error = content.exception() or ClientPayloadError()
        raise _meaning(error) from None


class AiohttpTransport:
    """Sends requests; open for as long as its context."""

    def __init__(self, *, resend_within_s: float = RESEND_WITHIN_S) -> None:
        self._resend_within_s = resend_within_s
        self._pooled: ClientSession
        self._single: ClientSession
        self._pooled_connector: _Counted
        self._single_connector: _Counted

    async def __aenter__(self) -> Self:
        self._pooled_connector = _Connector(limit=0, keepalive_timeout=KEEP_ALIVE_S)
        # For resends alone: what it opens is never reused.
        self._single_connector = _Counted(limit=0, force_close=True)
        self._pooled = _session(self._pooled_connector)
        self._single = _session(self._single_connector)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._pooled.close()
        await self._single.close()

    def connections(self) -> Connections:
        """Those that are open now."""
        pooled, single = self._pooled_connector.count(), self._single_connector.count()
        return Connections(pooled.active + single.active, pooled.idle + single.idle)

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        timeouts: Timeouts,
    ) -> AiohttpResponse:
        """Send a request; the answer once its headers are here, to be closed by the caller.

        Raises UpstreamUnreachable, UpstreamDisconnected, UpstreamTimeout, UpstreamProtocolError,
        or UpstreamMisconfigured for a URL or header that cannot be sent.
        """
        time = asyncio.get_running_loop().time
        started = time()
        _reused.set(None)
        try:
            call = _Call(method, URL(url, encoded=True), headers, body, timeouts)
            async with asyncio.timeout(min(timeouts.first_byte, timeouts.total)):
                try:
                    response = await call.on(self._pooled)
                except (ServerDisconnectedError, ClientOSError) as error:
                    if not _was_idle_close(error, time() - started, self._resend_within_s):
                        raise
                    response = await call.on(self._single)
        except TimeoutError as error:
            # Nothing was sent that could be at work.
            raise _meaning(ConnectionTimeoutError() if _reused.get() is None else error) from None
        except _RAISED as error:
            raise _meaning(error) from None
        try:
            return AiohttpResponse(response, started + timeouts.total)
        except UpstreamProtocolError:
            response.close()
            raise


class _Counted(TCPConnector):
    """A pool that says how many connections it has."""

    def count(self) -> Connections:
        return Connections(len(self._acquired), sum(map(len, self._conns.values())))


class _Connector(_Counted):
    """A pool that says of the connection it hands out whether it was handed out before."""

    def __init__(self, *, limit: int, keepalive_timeout: float) -> None:
        super().__init__(
            limit=limit, keepalive_timeout=keepalive_timeout, ttl_dns_cache=DNS_CACHE_S
        )
        self._handed_out: WeakSet[ResponseHandler] = WeakSet()

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109  # aiohttp's signature
    ) -> Connection:
        """Hand out a connection; `_reused` tells the sending task which kind."""
        connection = await super().connect(req, traces, timeout)
        protocol = connection.protocol
        _reused.set(protocol is not None and protocol in self._handed_out)
        if protocol is not None:
            self._handed_out.add(protocol)
        return connection


class _Call:
    """One request, ready to be sent on either session."""

    def __init__(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes, timeouts: Timeouts
    ) -> None:
        self._method = method
        self._url = url
        self._headers = headers
        self._body = body
        self._timeout = ClientTimeout(total=None, connect=timeouts.connect)

    async def on(self, session: ClientSession) -> ClientResponse:
        large = len(self._body) > _LARGE_BODY_BYTES
        return await session.request(
            self._method,
            self._url,
            headers=self._headers,
            data=(io.BytesIO(self._body) if large else self._body) or None,
            timeout=self._timeout,
            allow_redirects=False,
        )


def _session(connector: TCPConnector) -> ClientSession:
    return ClientSession(
        connector=connector,
        cookie_jar=DummyCookieJar(),
        headers=_HEADERS,
        auto_decompress=False,
        trust_env=False,
        # aiohttp pauses its socket at twice this.
        read_bufsize=READ_BYTES // 2,
    )


def _was_idle_close(
    error: ServerDisconnectedError | ClientOSError, after_s: float, within_s: float
) -> bool:
    """Whether the request met a connection that the upstream had just given up."""
    if not _reused.get() or after_s > within_s:
        return False
    if isinstance(error, ServerDisconnectedError):
        return isinstance(error.message, str)
    return error.errno in _BROKEN_PIPE


def _meaning(error: BaseException) -> UpstreamError:
    for kind, meaning, text in _MEANINGS:
        if isinstance(error, kind):
            return meaning(text)
    return UpstreamDisconnected("The connection to the upstream broke.")


def _joined(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers by lower-case name; repeated ones joined as HTTP says."""
    joined: dict[str, str] = {}
    for name, value in headers.items():
        key = name.lower()
        joined[key] = f"{joined[key]}, {value}" if key in joined else value
    return joined
