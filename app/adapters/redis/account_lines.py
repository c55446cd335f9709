"""Reservations of one account that are asked for in one turn of the event loop: one script call.

Most of what a reservation costs is looking up and writing the account's totals, however many are
taken. Each is judged after those before it in its line, exactly as if it had come alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from app.adapters.redis.account_packing import Answer, Common, Commons, answers_to, packed_asks
from app.domain.quota.reservation import Ask

#: Asks of one call: some 10 µs each.
MOST: Final = 64

#: Has a tenant's account carry out a packed reservation.
Reserve = Callable[[str, Sequence[bytes]], Awaitable[bytes]]


class _Line:
    """Those who ask together; whoever came first sends it."""

    __slots__ = ("_lengths", "answers", "asks", "commons")

    def __init__(self) -> None:
        self.asks: list[Ask] = []
        self.commons: list[Common] = []  # of each ask
        self.answers: list[asyncio.Future[Answer] | None] = []  # None: the first has none
        self._lengths: dict[str, int] = {}

    def takes(self, common: Common) -> bool:
        """Whether the script can judge it beside the others."""
        if len(self.asks) >= MOST:
            return False
        lengths = self._lengths
        return common in self.commons or all(
            lengths.get(where, window_ms) == window_ms for where, window_ms in common.lengths
        )

    @property
    def awaited(self) -> list[tuple[Ask, Common, asyncio.Future[Answer]]]:
        """Those that somebody still waits for."""
        return [
            (ask, common, answer)
            for ask, common, answer in zip(self.asks, self.commons, self.answers, strict=True)
            if answer is not None and not answer.done()
        ]

    def add(self, ask: Ask, common: Common, answer: asyncio.Future[Answer] | None) -> None:
        """Have it asked for."""
        self.asks.append(ask)
        self.commons.append(common)
        self.answers.append(answer)
        self._lengths.update(common.lengths)


class Lines:
    """One for each account that is asked just now."""

    def __init__(self, reserve: Reserve, ttl_ms: int) -> None:
        """`reserve` may raise; then so does every ask of the line."""
        self._reserve = reserve
        self._ttl_ms = ttl_ms
        self._commons = Commons()
        self._open: dict[str, _Line] = {}
        self._sending: set[asyncio.Task[None]] = set()

    async def ask(self, ask: Ask) -> Answer:
        """What becomes of it. A cancelled ask is not sent any more, or its answer is not heard."""
        common = self._commons.of(ask)
        line = self._open.get(ask.tenant)
        if line is not None and line.takes(common):
            answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            line.add(ask, common, answer)
            return await answer
        return await self._first(ask, common)

    async def _first(self, ask: Ask, common: Common) -> Answer:
        """Open a line, wait for the others of this turn, and send it."""
        line = self._open[ask.tenant] = _Line()
        line.add(ask, common, None)
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self._close(ask.tenant, line)
            self._send_others(ask.tenant, line)
            raise
        self._close(ask.tenant, line)
        if len(line.asks) == 1:
            return (await self._sent(ask.tenant, line.asks, line.commons))[0]
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        line.answers[0] = answer
        self._send_others(ask.tenant, line)
        return await answer

    def _close(self, tenant: str, line: _Line) -> None:
        if self._open.get(tenant) is line:
            del self._open[tenant]

    def _send_others(self, tenant: str, line: _Line) -> None:
        """By a task: whoever came first may leave, and the others want their answers."""
        task = asyncio.get_running_loop().create_task(self._answer_all(tenant, line))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _answer_all(self, tenant: str, line: _Line) -> None:
        """Send those that somebody still waits for."""
        awaited = line.awaited
        if not awaited:
            return
        waiting = [answer for _, _, answer in awaited]
        try:
            asks, commons = [ask for ask, _, _ in awaited], [common for _, common, _ in awaited]
            answers = await self._sent(tenant, asks, commons)
        except BaseException as error:
            _raise_in(waiting, error)
            if not isinstance(error, Exception):
                raise
            return
        for each, told in zip(waiting, answers, strict=True):
            if not each.done():
                each.set_result(told)

    async def _sent(
        self, tenant: str, asks: Sequence[Ask], commons: Sequence[Common]
    ) -> list[Answer]:
        packed = packed_asks(asks, commons, self._ttl_ms)
        return answers_to(asks, await self._reserve(tenant, packed))


def _raise_in(waiting: Sequence[asyncio.Future[Answer]], error: BaseException) -> None:
    for each in waiting:
        if each.done():
            continue
        if isinstance(error, Exception):
            each.set_exception(error)
        else:
            each.cancel()
