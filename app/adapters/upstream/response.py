"""An answer as its reader has it: status and headers once they are here, the body as it comes."""

from __future__ import annotations

from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Mapping
from math import inf
from types import MappingProxyType
from typing import Final, Protocol

import msgspec

from app.adapters.upstream.alarm import TICK_S, Alarm
from app.errors import UpstreamDisconnected, UpstreamError, UpstreamTimeout

_NO_ANSWER: Final = "The upstream did not answer in time."
_NO_END: Final = "The upstream did not end its answer in time."
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_BROKEN: Final = "The upstream's answer broke off."


class Source(Protocol):
    """The connection that an answer comes on."""

    def taken(self) -> None:
        """All that was there has been taken."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class Response(msgspec.Struct, eq=False):
    """One reader's; a connection, whose `alarm` it may set, fills it.

    `_deadline` ends the whole answer, on the loop's clock. `headers` have names in lower case;
    `is_unheard` says that not one byte came.
    """

    _loop: AbstractEventLoop
    _alarm: Alarm
    _deadline: float
    status: int = 0
    headers: Mapping[str, str] = _NO_HEADERS
    is_begun: bool = False
    is_unheard: bool = True
    _connection: Source | None = None
    _parts: list[bytes] = []
    _is_ended: bool = False
    _failure: tuple[type[UpstreamError], str] | None = None
    _waiter: Future[bool] | None = None
    _take: Callable[[bytes], bool] | None = None  # who is handed what comes
    _patience_s: float = 0.0
    _handed_at: float = -inf  # when something was handed on to whoever waits
    _is_declined: bool = False  # the last that it was handed was the last that it wanted

    # For the reader.

    async def head(self, due: float) -> None:
        """Return once status and headers are here. Raises UpstreamError, also at `due`."""
        while not self.is_begun:
            if self._failure is not None:
                self._raise()
            if not await self._news(due):
                raise UpstreamTimeout(_NO_ANSWER)

    def whole(self) -> bytes | None:
        """What is left of the body, where all of it is here; None: it has to be read."""
        return _joined(self._parts) if self._is_ended else None

    async def read(self, patience_s: float) -> bytes:
        """The next bytes of the body, all that are here; empty at its end.

        Raises TimeoutError after `patience_s` seconds of silence (reading may then go on),
        UpstreamTimeout at the end of the whole call's time, UpstreamDisconnected, and
        UpstreamProtocolError where the body is not what its headers say.
        """
        while not self._is_ended:
            if self._parts:
                return self._taken()
            if self._failure is not None:
                self._raise()
            if not await self._news(min(self._loop.time() + patience_s, self._deadline)):
                self._check_deadline()
                raise TimeoutError
        return _joined(self._parts) if self._parts else b""

    async def pour(self, take: Callable[[bytes], bool], patience_s: float) -> bool:
        """Hand `take` what comes until it wants no more; False at the body's end.

        Its reader is not woken for it: `take` runs where the bytes were read. Raises what `read`
        does and what `take` does; `patience_s` is for each silence.
        """
        self._take, self._patience_s, self._is_declined = take, patience_s, False
        try:
            while True:
                if self._parts:
                    if not take(_joined(self._parts) if self._is_ended else self._taken()):
                        return True
                elif self._is_ended:
                    return False
                elif self._failure is not None:
                    self._raise()
                else:
                    self._check_deadline()  # what is declined each time moves the alarm each time
                    if not await self._news(min(self._loop.time() + patience_s, self._deadline)):
                        self._check_deadline()
                        raise TimeoutError
                    if self._is_declined:
                        return True
        finally:
            self._take = None

    def close(self) -> None:
        """Let go of the connection; where the answer is not all here, that ends it."""
        connection = self._connection
        if connection is not None:
            self._parts = []
            connection.close()

    # For the connection.

    def opened(self, connection: Source, parts: list[bytes]) -> None:
        """It is asked; what comes of the body will be in `parts`."""
        self._connection, self._parts = connection, parts

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """The head is here."""
        self.status, self.headers, self.is_begun = status, headers, True
        if self._waiter is not None:
            self.wake()

    def end(self, parts: list[bytes]) -> None:
        """All is here; `parts` are what is not read yet."""
        self._connection, self._parts, self._is_ended = None, parts, True
        if self._waiter is not None:
            self.wake()

    def fail(self, kind: type[UpstreamError], message: str) -> None:
        """Nothing more comes; what came before can be read."""
        if self.is_begun and kind is UpstreamDisconnected:
            message = _BROKEN
        self._connection, self._failure = None, (kind, message)
        self.wake()

    def wake(self, *, late: bool = False) -> None:
        """Have the reader look again, or give up where it is `late`."""
        waiter = self._waiter
        if waiter is not None:
            # At once: when the reader runs, the connection may already serve another one's request.
            self._waiter, self._alarm.due = None, inf
            if not waiter.done():
                waiter.set_result(not late)

    def hand_on(self) -> bool:
        """Hand on what came to whoever waits for that; whether there is nothing left to be read.

        The reader is woken only where it has to do something about it.
        """
        parts, take, waiter = self._parts, self._take, self._waiter
        if not parts:
            return True
        if take is None or waiter is None or waiter.done():
            return False
        self._handed_at = self._loop.time()
        data = b"".join(parts)  # of one part, that part itself
        parts.clear()
        try:
            wants_more = take(data)
        except Exception as error:  # noqa: BLE001  # whatever it is, the reader's call raises it
            self._waiter, self._alarm.due = None, inf
            waiter.set_exception(error)
            return True
        if not wants_more:
            self._is_declined = True
            self.wake()
        return True

    def ring(self) -> None:
        """What the alarm was set for is due, unless something was handed on since then."""
        due = min(self._handed_at + self._patience_s, self._deadline)
        if self._loop.time() + TICK_S < due:
            self._alarm.set(due)
        else:
            self.wake(late=True)

    def _taken(self) -> bytes:
        self._check_deadline()
        data = _joined(self._parts)
        if self._connection is not None:
            self._connection.taken()
        return data

    def _check_deadline(self) -> None:
        if self._loop.time() + TICK_S >= self._deadline:
            raise UpstreamTimeout(_NO_END)

    def _news(self, due: float) -> Future[bool]:
        """Comes to whether there is something new before `due`."""
        self._waiter, self._handed_at = (waiter := self._loop.create_future()), -inf
        self._alarm.set(due)
        return waiter

    def _raise(self) -> None:
        if self._failure is not None:
            kind, message = self._failure
            raise kind(message) from None


def _joined(parts: list[bytes]) -> bytes:
    """The parts as one, taken out of the list."""
    data = b"".join(parts)
    parts.clear()
    return data
