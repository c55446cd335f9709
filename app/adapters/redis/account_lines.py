"""Reservations of one account that are asked for together, in one script call.

Most of what a reservation costs is looking up and writing the account's totals, however many are
taken. Each is judged after those before it in its line, exactly as if it had come alone. Together
are those of one turn of the event loop; where two calls are on their way already, those that come
until one of them is answered: the busier Redis is, the less a request costs it.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from app.adapters.redis.account_packing import Answer, Common, Commons, answers_to, packed_asks
from app.adapters.redis.batch import Refused, not_sent
from app.domain.quota.reservation import Ask
from app.errors import StoreUnavailable

#: Asks of one call: some 10 µs each.
MOST: Final = 64
#: Calls for one account on their way at once.
UNDER_WAY: Final = 2

#: Has a tenant's account carry out a packed reservation.
Reserve = Callable[[str, Sequence[bytes]], Awaitable[bytes]]


class _Line:
    """Those who ask together; whoever came first sends it."""

    __slots__ = ("_lengths", "answers", "asks", "commons", "turn")

    def __init__(self) -> None:
        self.asks: list[Ask] = []
        self.commons: list[Common] = []  # of each ask
        self.answers: list[asyncio.Future[Answer] | None] = []  # None: the first has none
        self.turn: asyncio.Future[None] | None = None  # when it may be sent; None: at once
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
        self._under_way: Counter[str] = Counter()
        self._queues: dict[str, deque[_Line]] = {}  # of those that wait for their turn
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
        if self._under_way[ask.tenant] >= UNDER_WAY:
            return await self._queued(ask, common, line)
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

    async def _queued(self, ask: Ask, common: Common, line: _Line) -> Answer:
        """Wait until a call is answered, and so will whoever comes until then."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        line.add(ask, common, answer)
        line.turn = loop.create_future()
        self._queues.setdefault(ask.tenant, deque()).append(line)
        self._send_others(ask.tenant, line)
        return await answer

    def _ended(self, tenant: str, lost: StoreUnavailable | None) -> None:
        """A call was answered: the next may go; where its store is lost, all that wait are told."""
        self._under_way[tenant] -= 1
        if not self._under_way[tenant]:
            del self._under_way[tenant]
        queue = self._queues.get(tenant)
        while queue:
            turn = queue.popleft().turn
            if turn is None or turn.done():
                continue
            if lost is None:
                turn.set_result(None)
                break
            turn.set_exception(not_sent(lost))
        if not queue:
            self._queues.pop(tenant, None)

    def _close(self, tenant: str, line: _Line) -> None:
        if self._open.get(tenant) is line:
            del self._open[tenant]

    def _send_others(self, tenant: str, line: _Line) -> None:
        """By a task: whoever came first may leave, and the others want their answers."""
        task = asyncio.get_running_loop().create_task(self._answer_all(tenant, line))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _answer_all(self, tenant: str, line: _Line) -> None:
        """Send those that somebody still waits for, when it is their turn."""
        try:
            if line.turn is not None:
                await line.turn
            self._close(tenant, line)
            awaited = line.awaited
            if not awaited:
                self._pass_on(tenant, line)
                return
            asks, commons = [ask for ask, _, _ in awaited], [common for _, common, _ in awaited]
            answers = await self._sent(tenant, asks, commons)
        except BaseException as error:
            self._close(tenant, line)
            _raise_in([answer for _, _, answer in line.awaited], error)
            if not isinstance(error, Exception):
                raise
            return
        for (_, _, each), told in zip(awaited, answers, strict=True):
            if not each.done():
                each.set_result(told)

    def _pass_on(self, tenant: str, line: _Line) -> None:
        """Nobody of it waits any more: its turn is the next one's."""
        if line.turn is not None:
            self._under_way[tenant] += 1
            self._ended(tenant, None)

    async def _sent(
        self, tenant: str, asks: Sequence[Ask], commons: Sequence[Common]
    ) -> list[Answer]:
        lost: StoreUnavailable | None = None
        self._under_way[tenant] += 1
        try:
            packed = packed_asks(asks, commons, self._ttl_ms)
            raw = await self._reserve(tenant, packed)
        except StoreUnavailable as error:
            lost = None if isinstance(error, Refused) else error
            raise
        finally:
            self._ended(tenant, lost)
        return answers_to(asks, raw)


def _raise_in(waiting: Sequence[asyncio.Future[Answer]], error: BaseException) -> None:
    for each in waiting:
        if each.done():
            continue
        if isinstance(error, Exception):
            each.set_exception(error)
        else:
            each.cancel()
