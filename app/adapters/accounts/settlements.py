"""Settlements on their way to Redis: sent in batches, again and again until it has them.

One that Redis refuses whenever it comes would hold up all that follow it. So what is refused
together is sent in ever smaller parts, and what is refused alone is dropped, loudly. What Redis
does not take at the first try is on this machine's disk until it does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Final

import structlog
from msgspec.structs import replace

from app.adapters.accounts.spool import Spool, Tenanted
from app.adapters.accounts.urgency import Urgency
from app.adapters.redis.account import AccountScript, Settlement, Unseeded
from app.adapters.redis.batch import NotSent, Refused
from app.domain.ledger.ledger_row import UnreadableRow, decode
from app.errors import StoreUnavailable
from app.ports import Clock

RETRY_S: Final = 0.25
#: How long a settlement waits for others of its worker, where nobody waits for its room: most of
#: what one costs is the same for many. At 3 ms Redis took twice the time for a request, on one
#: connection.
LINGER_S: Final = 0.01
#: Settlements of one script call; some 0.01 ms each.
_AT_ONCE: Final = 100
_TENANTS_AT_ONCE: Final = 16


@dataclass(slots=True)
class _Queue:
    """What waits of one tenant; of its next part there is reason to expect that Redis takes it."""

    waiting: deque[Settlement] = field(default_factory=deque)
    portion: int = _AT_ONCE
    failing: bool = False
    again_at: float = 0.0  # by the loop: a node of a cluster may be lost, and no other
    taken: int = 0  # out of it, so far
    spooled: int = 0  # so many of the first are on the disk, or on their way there

    @property
    def part(self) -> list[Settlement]:
        """The first of them."""
        return list(islice(self.waiting, self.portion))

    def note_sent(self, count: int, at: float) -> None:
        """So many may have arrived, though no answer came; charges are told by their id."""
        for index in range(count):
            each = self.waiting[index]
            if each.reservation is None and each.sent is None:
                self.waiting[index] = replace(each, sent=at)


class Settlements:
    """Queues of all tenants; something must run `keep_settling`, and `keep_spooling` with a spool.

    Attributes:
        unsettled: what Redis has not confirmed yet.
        refused_total: settlements dropped, because Redis will not have them.
        unspooled_total: settlements that waited with no place on the disk.
    """

    def __init__(self, script: AccountScript, clock: Clock, spool: Spool | None = None) -> None:
        self._script = script
        self._clock = clock
        self._queues: dict[str, _Queue] = {}
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._spool = spool
        self._to_spool = asyncio.Event()
        self._urgency = Urgency()
        self._lingers = False  # nobody is in a hurry, and it will be sent
        self._spooling = True  # no trouble with the disk was told of
        self.unsettled = 0
        self.refused_total = 0
        self.unspooled_total = 0

    def add(self, tenant: str, settlement: Settlement) -> None:
        """Have it settled; nobody waits for it."""
        queue = self._queues.get(tenant)
        if queue is None:
            queue = self._queues[tenant] = _Queue()
            self._idle.clear()
        queue.waiting.append(settlement)
        self.unsettled += 1
        if queue.failing:
            self._to_spool.set()
        if self._urgency.is_urgent(settlement) or len(queue.waiting) >= _AT_ONCE:
            self._news.set()
        elif not self._lingers:
            self._lingers = True
            asyncio.get_running_loop().call_later(LINGER_S, self._end_lingering)

    def _end_lingering(self) -> None:
        self._lingers = False
        self._news.set()

    async def settled(self, within_s: float) -> bool:
        """Wait until Redis has everything; False where time ran out."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._idle.wait()
        return self._idle.is_set()

    async def keep_settling(self) -> None:
        """Send settlements as they come; what Redis did not take is sent again."""
        if self._queues:
            self._news.set()  # left by one that ended unexpectedly
        while True:
            await self._wait()
            self._news.clear()
            now = asyncio.get_running_loop().time()
            due = [name for name, queue in self._queues.items() if queue.again_at <= now]
            for start in range(0, len(due), _TENANTS_AT_ONCE):
                # All of them end before anything else happens: nothing is on its way twice.
                await _all_ended(
                    [self._settle_some(each) for each in due[start : start + _TENANTS_AT_ONCE]]
                )
            if not self._queues:
                self._idle.set()

    async def _wait(self) -> None:
        """Until there is news, or a tenant's settlements are to be tried again."""
        failing = [queue.again_at for queue in self._queues.values() if queue.failing]
        if not failing:
            await self._news.wait()
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(min(failing) - asyncio.get_running_loop().time()):
                await self._news.wait()

    async def keep_spooling(self) -> None:
        """Have on the disk what Redis did not take, and nothing else."""
        while True:
            await self._to_spool.wait()
            self._to_spool.clear()
            anew = not any(queue.spooled for queue in self._queues.values())
            unspooled = self._unspooled()
            if unspooled or anew:
                await self._write(unspooled, anew=anew)

    async def spool_all(self) -> int:
        """Have all that waits on the disk, by the last who writes; how much found no place."""
        for queue in self._queues.values():
            queue.failing, queue.spooled = True, 0
        return await self._write(self._unspooled(), anew=True)

    def _unspooled(self) -> list[Tenanted]:
        """What is not on the disk and should be; from now on it counts as if it were."""
        found: list[Tenanted] = []
        for tenant, queue in self._queues.items():
            if queue.failing:
                found += [(tenant, each) for each in islice(queue.waiting, queue.spooled, None)]
                queue.spooled = len(queue.waiting)
        return found

    async def _write(self, settlements: list[Tenanted], *, anew: bool) -> int:
        """Append them, to nothing if `anew`; how many found no place."""
        if self._spool is None:
            return len(settlements)
        write = partial(_written, self._spool, settlements, self._clock.unix(), anew=anew)
        try:
            lost = await asyncio.to_thread(write)
        except OSError as error:
            lost, why = len(settlements), type(error).__name__
        else:
            why = "it is full"
        self._note_unspooled(lost, why)
        return lost

    def _note_unspooled(self, count: int, why: str) -> None:
        """Count, and tell where it began; whoever is killed now loses them."""
        self.unspooled_total += count
        if count and self._spooling:
            structlog.get_logger().error("settlements_not_spooled", count=count, reason=why)
        self._spooling = not count

    async def _settle_some(self, tenant: str) -> bool:
        """Whether this tenant got on; if not, its settlements wait on the disk, too."""
        queue = self._queues[tenant]
        end = queue.taken + len(queue.waiting)
        got_on = await self._try_some(tenant)
        queue.failing = not got_on
        queue.again_at = asyncio.get_running_loop().time() + (0.0 if got_on else RETRY_S)
        if not got_on:
            self._to_spool.set()
        elif queue.taken < end:
            self._news.set()  # what came meanwhile may linger, what was there has
        return got_on

    async def _try_some(self, tenant: str) -> bool:
        """Whether this tenant got on; if not, its settlements stay where they are."""
        queue = self._queues[tenant]
        part, began = queue.part, self._clock.unix()
        try:
            await self._script.settle(tenant, part)
        except Unseeded:
            with suppress(StoreUnavailable):
                await self._script.report_unseeded(tenant)
            return False
        except (Refused, ValueError, TypeError, OverflowError) as error:  # the latter by packing
            if len(part) > 1:
                queue.portion = len(part) // 2
                return True
            self._drop(tenant, part[0], error)
        except NotSent:
            return False
        except StoreUnavailable:
            queue.note_sent(len(part), began)
            return False
        else:
            queue.portion = min(_AT_ONCE, 2 * queue.portion)
        self._take_out(tenant, len(part))
        return True

    def _take_out(self, tenant: str, count: int) -> None:
        queue = self._queues[tenant]
        for _ in range(count):
            queue.waiting.popleft()
        queue.taken += count
        self.unsettled -= count
        if queue.spooled:
            queue.spooled = max(0, queue.spooled - count)
            self._to_spool.set()  # for nothing may be left of what is on the disk
        if not queue.waiting:
            del self._queues[tenant]

    def _drop(self, tenant: str, settlement: Settlement, error: Exception) -> None:
        """Tell what it takes to charge it by hand."""
        self.refused_total += 1
        actual = settlement.charge.actual
        structlog.get_logger().error(
            "settlement_refused",
            tenant=tenant,
            id=_id_of(settlement),
            requests=actual.requests,
            tokens=actual.tokens,
            nano_usd=actual.nano_usd,
            error=str(error.__cause__ or error),
        )


async def _all_ended(works: Sequence[Coroutine[object, object, bool]]) -> None:
    """Raises what one of them raised, once all have ended."""
    if len(works) == 1:
        await works[0]
        return
    ended = await asyncio.gather(*works, return_exceptions=True)
    if failed := [each for each in ended if isinstance(each, BaseException)]:
        raise failed[0]


def _written(spool: Spool, settlements: list[Tenanted], at: float, *, anew: bool) -> int:
    if anew:
        spool.clear()
    return spool.append(settlements, at)


def _id_of(settlement: Settlement) -> str:
    if settlement.reservation is not None:
        return settlement.reservation.ask.id
    try:
        return decode(settlement.charge.row).id
    except UnreadableRow:
        return ""
