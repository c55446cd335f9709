"""Sends requests, and resends where that is safe.

Connections are kept for reuse, and an upstream may close one at any time. A close that came before
a request is seen, and another connection is taken. A close that crosses the request on the wire is
a failure; a request, be it a POST, is repeated once and on a new connection where it can be told
that the upstream never acted on it:

- the connection had served a request before (a new one is not closed for being idle),
- not one byte of an answer came,
- it broke within `RESEND_WITHIN_S` of sending: an idle close is there within a round trip, while
  an upstream that dies later may have been at work.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from app.adapters.upstream.addresses import Addresses
from app.adapters.upstream.connection import Common, Connection
from app.adapters.upstream.dialer import Dialer
from app.adapters.upstream.inflated import Inflated
from app.adapters.upstream.pool import KEEP_ALIVE_S, MAX_AGE_S, Connections, Pool
from app.adapters.upstream.request_head import RequestHeads
from app.adapters.upstream.response import Response
from app.adapters.upstream.target import Origin, Targets
from app.domain.routing.deployment import Timeouts
from app.errors import UpstreamDisconnected
from app.ports import UpstreamResponse

RESEND_WITHIN_S: Final = 1.0


class HttpTransport:
    """Open for as long as its context; belongs to the event loop that it was opened on.

    No cookies, no redirects, no proxies: what an upstream answers is the answer.
    """

    def __init__(
        self,
        *,
        resend_within_s: float = RESEND_WITHIN_S,
        keep_alive_s: float = KEEP_ALIVE_S,
        max_age_s: float = MAX_AGE_S,
    ) -> None:
        """How long connections are kept, and after what time nothing is resent; seconds."""
        self._resend_within_s = resend_within_s
        self._keep_alive_s = keep_alive_s
        self._max_age_s = max_age_s
        self._targets = Targets()
        self._heads = RequestHeads()
        self._loop: AbstractEventLoop
        self._pool: Pool
        self._addresses: Addresses
        self._dialer: Dialer

    async def __aenter__(self) -> Self:
        self._loop = loop = asyncio.get_running_loop()
        self._pool = pool = Pool(loop, keep_alive_s=self._keep_alive_s, max_age_s=self._max_age_s)
        common = Common(loop)
        self._addresses = Addresses(loop)
        self._dialer = Dialer(
            loop, self._addresses, lambda origin: Connection(origin, pool, common)
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._addresses.close()
        self._pool.close()
        await asyncio.sleep(0)  # sockets are closed by the loop's next turn

    def connections(self) -> Connections:
        """Those that are open now; one that is being opened is none yet."""
        return self._pool.count()

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        timeouts: Timeouts,
    ) -> UpstreamResponse:
        """Send a request; the answer once its headers are here, to be closed by the caller.

        Raises UpstreamUnreachable, UpstreamDisconnected, UpstreamTimeout, UpstreamProtocolError,
        or UpstreamMisconfigured for a URL or header that cannot be sent.
        """
        target = self._targets.of(url)
        head = self._heads.head(method, target, headers, len(body))
        started = self._loop.time()
        due = started + min(timeouts.first_byte, timeouts.total)
        connection = self._pool.take(target.origin, started)
        is_reused = connection is not None
        while True:
            if connection is None:
                connection = await self._dialed(target.origin, timeouts, due)
            response = Response(self._loop, connection.alarm, started + timeouts.total)
            try:
                connection.send(head, body, response)
                await response.head(due)
                break
            except BaseException as error:
                connection.close()
                if not (is_reused and self._was_not_heard(error, response, started)):
                    raise
            connection, is_reused = None, False
        return response if "content-encoding" not in response.headers else _readable(response)

    def _was_not_heard(self, error: BaseException, response: Response, started: float) -> bool:
        """Whether an upstream never acted on a request, if its connection had been idle."""
        in_time = self._loop.time() - started <= self._resend_within_s
        return isinstance(error, UpstreamDisconnected) and response.is_unheard and in_time

    async def _dialed(self, origin: Origin, timeouts: Timeouts, due: float) -> Connection:
        limit_s = min(timeouts.connect, due - self._loop.time())
        connection = await self._dialer.dial(origin, limit_s)
        self._pool.opened(connection)
        return connection


def _readable(response: Response) -> UpstreamResponse:
    """The answer unpacked, where it came packed although that was not asked for."""
    if response.headers["content-encoding"].lower() == "identity":
        return response
    try:
        return Inflated(response)
    except BaseException:
        response.close()
        raise
