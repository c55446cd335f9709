"""Connections that wait for the next request, and all that are open.

The one that came back last is taken first, so that those beyond what is needed grow old and are
closed. None is kept longer than `MAX_AGE_S`: an upstream's name may lead elsewhere by then.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, TimerHandle
from collections import defaultdict, deque
from collections.abc import Iterable
from math import inf
from typing import Final

import msgspec

from app.adapters.upstream.connection import Connection
from app.adapters.upstream.target import Origin

#: How long a connection waits for a request. Seconds.
KEEP_ALIVE_S: Final = 30.0
#: How old a connection may be when it is kept for another request. Seconds.
MAX_AGE_S: Final = 600.0

#: A thousand that came back one after the other are not looked at a thousand times. Seconds.
_SWEEP_EVERY_S: Final = 1.0


class Connections(msgspec.Struct, frozen=True):
    """How many are in use, and how many are kept for the next request."""

    active: int
    idle: int


class Pool:
    """A Home for connections."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        *,
        keep_alive_s: float = KEEP_ALIVE_S,
        max_age_s: float = MAX_AGE_S,
    ) -> None:
        self._loop = loop
        self._keep_alive_s = keep_alive_s
        self._max_age_s = max_age_s
        self._open: set[Connection] = set()
        self._waiting: defaultdict[Origin, deque[Connection]] = defaultdict(deque)
        self._sweep: TimerHandle | None = None
        self._is_closed = False

    def count(self) -> Connections:
        """Those that are open now."""
        idle = sum(map(len, self._waiting.values()))
        return Connections(len(self._open) - idle, idle)

    def take(self, origin: Origin, now: float) -> Connection | None:
        """One that waits, if any is fresh enough; `now` is of the loop's clock."""
        waiting, since = self._waiting[origin], now - self._keep_alive_s
        while waiting:
            connection = waiting.pop()
            if connection.idle_since > since:
                connection.idle_since = inf
                return connection
            connection.idle_since = inf
            connection.close()
        return None

    def opened(self, connection: Connection) -> None:
        """One more is open, and in use."""
        connection.expires = self._loop.time() + self._max_age_s
        self._open.add(connection)
        if self._is_closed or connection.is_closed:
            connection.close()
            self._open.discard(connection)

    def returned(self, connection: Connection) -> None:
        """It can be asked again."""
        now = self._loop.time()
        if now >= connection.expires or self._is_closed:
            connection.close()
            return
        connection.idle_since = now
        self._waiting[connection.origin].append(connection)
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._keep_alive_s, self._close_old)

    def lost(self, connection: Connection) -> None:
        """It is no more."""
        self._open.discard(connection)
        if connection.idle_since != inf:
            connection.idle_since = inf
            self._waiting[connection.origin].remove(connection)

    def close(self) -> None:
        """Close all, and what is opened or comes back from now on."""
        self._is_closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in list(self._open):
            connection.close()

    def _close_old(self) -> None:
        """Those that nobody took in time; then once more when the next one is due."""
        since = self._loop.time() - self._keep_alive_s
        waiting = [each for each in self._open if each.idle_since != inf]
        for connection in waiting:
            if connection.idle_since <= since:
                connection.close()
        self._sweep = self._next_sweep(each for each in waiting if not each.is_closed)

    def _next_sweep(self, waiting: Iterable[Connection]) -> TimerHandle | None:
        oldest = min((each.idle_since for each in waiting), default=inf)
        if oldest == inf:
            return None
        soonest = self._loop.time() + min(_SWEEP_EVERY_S, self._keep_alive_s)
        return self._loop.call_at(max(oldest + self._keep_alive_s, soonest), self._close_old)
