"""A few readers of the ledger at once: each is a thread that reads for seconds, or minutes.

Without a bound, whoever asks often takes every thread that the admin process has, and its
interpreter's time: pages, metrics and changes would wait for them.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import IO, Final, ParamSpec, TypeVar

from starlette.responses import Response

from app.api.admin.roles import Caller
from app.api.admin.streaming import streamed
from app.errors import RequestError

#: At once; the interpreter's pool has five threads on one processor, six on two.
MOST: Final = 4
#: Of these, of one administrator, or of all that are one tenant's.
MOST_OF_ONE: Final = 2
#: Of these, of all tenants' own: one place is left to who looks after all of them.
MOST_OF_TENANTS: Final = 3
#: Seconds that a request waits for its place.
PATIENCE_S: Final = 5.0
#: Requests of one that wait for a place; more are refused at once.
MOST_WAITING: Final = 16

_Given = ParamSpec("_Given")
_Found = TypeVar("_Found")


class TooManyReaders(RequestError):
    """As many requests read the ledger as may do so at once."""

    status = 429
    code = "too_many_ledger_reads"


class LedgerReaders:
    """Who reads now, and who waits; one for all routes."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        """Nobody reads yet."""
        self._patience_s = patience_s
        self._reading: Counter[tuple[bool, str]] = Counter()
        self._waiting: deque[tuple[tuple[bool, str], asyncio.Future[None]]] = deque()

    async def read(
        self,
        caller: Caller,
        function: Callable[_Given, _Found],
        *given: _Given.args,
        **named: _Given.kwargs,
    ) -> _Found:
        """What a function finds, in a thread. Raises TooManyReaders, and what it raises.

        Its place is taken until the thread has ended, whoever has stopped waiting for it.
        """
        who = _who(caller)
        await self._admit(who)
        reading = asyncio.create_task(asyncio.to_thread(function, *given, **named))
        reading.add_done_callback(lambda task: self._ended(who, task))
        return await asyncio.shield(reading)

    async def stream(
        self, caller: Caller, write: Callable[[IO[bytes]], None], *, form: str, name: str
    ) -> Response:
        """What it writes, as it is written; the place is taken until its thread has ended.

        Raises TooManyReaders, and what it raises before there is a part.
        """
        who = _who(caller)
        await self._admit(who)
        return await streamed(write, form=form, name=name, ended=lambda: self._leave(who))

    @asynccontextmanager
    async def place(self, caller: Caller) -> AsyncIterator[None]:
        """A place for several steps, for as long as they take. Raises TooManyReaders."""
        who = _who(caller)
        await self._admit(who)
        try:
            yield
        finally:
            self._leave(who)

    async def _admit(self, who: tuple[bool, str]) -> None:
        if self._has_room(who):
            self._reading[who] += 1
            return
        if sum(1 for other, _ in self._waiting if other == who) >= MOST_WAITING:
            raise self._refusal()
        place = asyncio.get_running_loop().create_future()
        self._waiting.append((who, place))
        try:
            async with asyncio.timeout(self._patience_s):
                await place
        except BaseException as error:
            self._gave_up(who, place)
            if isinstance(error, TimeoutError):
                raise self._refusal() from None
            raise

    def _has_room(self, who: tuple[bool, str]) -> bool:
        of_tenants = sum(count for (is_tenant, _), count in self._reading.items() if is_tenant)
        fits = not who[0] or of_tenants < MOST_OF_TENANTS
        return fits and self._reading[who] < MOST_OF_ONE and self._reading.total() < MOST

    def _gave_up(self, who: tuple[bool, str], place: asyncio.Future[None]) -> None:
        if place.done() and not place.cancelled():
            self._leave(who)  # it came at the same moment
        else:
            self._waiting.remove((who, place))

    def _ended(self, who: tuple[bool, str], task: asyncio.Task[_Found]) -> None:
        self._leave(who)
        if not task.cancelled():
            task.exception()  # raised to who waits for it, or nobody is left to hear it

    def _leave(self, who: tuple[bool, str]) -> None:
        self._reading[who] -= 1
        if not self._reading[who]:
            del self._reading[who]
        for waiting in list(self._waiting):
            if not waiting[1].done() and self._has_room(waiting[0]):
                self._waiting.remove(waiting)
                self._reading[waiting[0]] += 1
                waiting[1].set_result(None)

    def _refusal(self) -> TooManyReaders:
        message = "Too many requests read the ledger at the moment: try again in a few seconds."
        return TooManyReaders(message, retry_after_s=self._patience_s)


def _who(caller: Caller) -> tuple[bool, str]:
    """Whose place it is, and whether it is a tenant's: its administrators share them."""
    return (caller.tenant is not None, caller.tenant or caller.actor.id)
