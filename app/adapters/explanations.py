"""Explanations of requests, kept in Redis for a while; no request waits for it.

A receipt is all that a request leaves behind: it waits in a bounded queue, and what is kept of it
is packed when it is sent, with others. It is explained when somebody asks. While Redis is away,
when the queue is full, and above the number that may be there at a time, explanations are dropped
and counted: memory that quotas need is worth more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from hashlib import blake2b
from typing import Any, Final, Protocol

import structlog

from app.adapters.background import background
from app.adapters.redis.batch import Command, Commands
from app.domain.explain.explained import explained
from app.domain.explain.explanation import Explanation
from app.domain.explain.kept import Packing, unpacked
from app.domain.ledger.completion import Receipt
from app.errors import StoreUnavailable
from app.ports import Clock
from app.settings import Explain

#: Receipts that wait for Redis; some kilobytes each.
MOST_WAITING: Final = 2000
#: Sent together: about a tenth of a millisecond of work, in which no request is served.
_AT_ONCE: Final = 16
#: What waits at the end is written within this time, or not at all.
_LAST_S: Final = 0.5
#: What packing raises.
_UNPACKABLE: Final = (OverflowError, TypeError, ValueError)


class ManyCommands(Commands, Protocol):
    """What also sends several of them together."""

    async def call_all(self, commands: Sequence[Command]) -> list[Any]:
        """The answers to commands that go out together; of each that failed, StoreUnavailable."""
        ...


class Explanations:
    """An Observer, and where its explanations are found; open within `keeping_explanations`."""

    def __init__(self, batch: ManyCommands, clock: Clock, policy: Explain) -> None:
        """`policy` is the one in force; a reload replaces it."""
        self._batch = batch
        self._clock = clock
        self.policy = policy
        self._waiting: list[Receipt] = []
        self._news = asyncio.Event()
        self._alive = _Alive()
        self._packed = Packing().packed
        self.kept_total = 0
        self.dropped_total = 0

    def observe(self, *receipts: Receipt) -> None:
        """Have them explained; a stranger's requests are nobody's, and could be any number."""
        policy = self.policy
        if not policy.keep_s:
            return
        wanted = [each for each in receipts if each.tenant is not None]
        if policy.sample < 1:
            wanted = [each for each in wanted if is_sampled(each.request_id, policy.sample)]
        room = min(len(wanted), MOST_WAITING - len(self._waiting))
        room = self._alive.admitted(policy, self._clock.now(), room)
        self.dropped_total += len(wanted) - room
        if room:
            self._waiting += wanted[:room]
            self._news.set()

    async def find(self, request_id: str, tenants: Iterable[str]) -> Explanation | None:
        """The latest request with this id, of these tenants: two may have chosen the same id.

        Raises StoreUnavailable.
        """
        asked = (self._batch.call(("GET", key_of(name, request_id))) for name in tenants)
        found: list[bytes | None] = await asyncio.gather(*asked)
        explanations = [each for data in found if data is not None for each in _readable(data)]
        return max(explanations, key=lambda each: each.at, default=None)

    async def keep_writing(self) -> None:
        """Write what waits, for ever."""
        while True:
            await self._news.wait()
            await self.write_waiting()
            self._news.clear()

    async def write_waiting(self) -> None:
        """Write what waits, and what comes meanwhile."""
        while self._waiting:
            receipts, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
            await self._write(receipts)

    async def _write(self, receipts: Sequence[Receipt]) -> None:
        commands = self._kept(receipts)
        self.dropped_total += len(receipts) - len(commands)
        try:
            answers = await self._batch.call_all(commands)
        except asyncio.CancelledError:
            self._waiting[:0] = receipts  # to be written last
            raise
        lost = len([1 for answer in answers if isinstance(answer, StoreUnavailable)])
        self.dropped_total += lost  # told by the breaker
        self.kept_total += len(answers) - lost

    def _kept(self, receipts: Sequence[Receipt]) -> list[Command]:
        """What keeps them; without one that cannot be packed, which costs the others nothing."""
        try:
            return self._commands(receipts)
        except _UNPACKABLE:
            return [command for each in receipts for command in self._command(each)]

    def _command(self, receipt: Receipt) -> list[Command]:
        with suppress(*_UNPACKABLE):
            return self._commands([receipt])
        return []

    def _commands(self, receipts: Sequence[Receipt]) -> list[Command]:
        keep_s, packed = self.policy.keep_s or 1, self._packed
        return [
            ("SET", key_of(each.tenant or "", each.request_id), packed(each), "EX", keep_s)
            for each in receipts
        ]


class _Alive:
    """How many explanations of this worker are in Redis, to the second."""

    def __init__(self) -> None:
        self._seconds: deque[list[int]] = deque()  # when, and how many
        self._count = 0

    def admitted(self, policy: Explain, now: float, wanted: int) -> int:
        """Count so many more, or as many as there may be; how many those are."""
        seconds, second = self._seconds, int(now)
        while seconds and seconds[0][0] < now - policy.keep_s:
            self._count -= seconds.popleft()[1]
        count = max(0, min(wanted, policy.max_records - self._count))
        if seconds and seconds[-1][0] == second:
            seconds[-1][1] += count
        else:
            seconds.append([second, count])
        self._count += count
        return count


def key_of(tenant: str, request_id: str) -> str:
    """Where an explanation is kept; ids come from callers, so each tenant has its own."""
    return f"spillgate:explain:{tenant}:{request_id}"


def is_sampled(request_id: str, part: float) -> bool:
    """Whether it is among those that are explained: every replica says the same."""
    drawn = int.from_bytes(blake2b(request_id.encode(), digest_size=8).digest(), "big")
    return drawn < part * 2**64


def _readable(data: Any) -> list[Explanation]:
    """None that a worker of another version wrote in a form that is not ours."""
    with suppress(ValueError):
        return [explained(unpacked(data))]
    structlog.get_logger().warning("explanation_unreadable")
    return []


@asynccontextmanager
async def keeping_explanations(
    batch: ManyCommands, clock: Clock, policy: Explain
) -> AsyncIterator[Explanations]:
    """Explanations that are kept for as long as the scope is open, the last ones included."""
    explanations = Explanations(batch, clock, policy)
    async with background("explanations", explanations.keep_writing):
        yield explanations
    with suppress(TimeoutError):
        async with asyncio.timeout(_LAST_S):
            await explanations.write_waiting()
