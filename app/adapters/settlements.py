"""Settlements on their way to Redis: sent in batches, again and again until it has them.

One that Redis refuses whenever it comes would hold up all that follow it. So what is refused
together is sent in ever smaller parts, and what is refused alone is dropped, loudly.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

import structlog

from app.adapters.redis.account import AccountScript, Settlement, Unseeded
from app.adapters.redis.batch import NotSent, Refused
from app.domain.ledger_row import UnreadableRow, decode
from app.errors import StoreUnavailable
from app.ports import Clock

RETRY_S: Final = 0.25
#: Settlements of one script call; some 0.05 ms each.
_AT_ONCE: Final = 100
_TENANTS_AT_ONCE: Final = 16


@dataclass(slots=True)
class _Queue:
    """What waits of one tenant; of its next part there is reason to expect that Redis takes it."""

    waiting: deque[Settlement] = field(default_factory=deque)
    portion: int = _AT_ONCE

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
    """Queues of all tenants; something must run `keep_settling`."""

    def __init__(self, script: AccountScript, clock: Clock) -> None:
        self._script = script
        self._clock = clock
        self._queues: dict[str, _Queue] = {}
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.unsettled = 0  # what Redis has not confirmed yet
        self.refused_total = 0  # dropped, because Redis will not have them

    def add(self, tenant: str, settlement: Settlement) -> None:
        """Have it settled; nobody waits for it."""
        self._queues.setdefault(tenant, _Queue()).waiting.append(settlement)
        self.unsettled += 1
        self._idle.clear()
        self._news.set()

    async def settled(self, within_s: float) -> bool:
        """Wait until Redis has everything; False where time ran out."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._idle.wait()
        return self._idle.is_set()

    async def keep_settling(self) -> None:
        """Send settlements as they come; what Redis did not take is sent again."""
        while True:
            await self._news.wait()
            tenants = list(self._queues)[:_TENANTS_AT_ONCE]
            sending = (self._settle_some(each) for each in tenants)
            # All of them end before anything else happens: nothing is on its way twice.
            sent = await asyncio.gather(*sending, return_exceptions=True)
            if failed := [each for each in sent if isinstance(each, BaseException)]:
                raise failed[0]
            if not all(sent):
                await asyncio.sleep(RETRY_S)
            if not self._queues:
                self._news.clear()
                self._idle.set()

    async def _settle_some(self, tenant: str) -> bool:
        """Whether this tenant got on; if not, its settlements stay where they are."""
        queue = self._queues[tenant]
        part, began = queue.part, self._clock.unix()
        try:
            await self._script.settle(tenant, part)
        except Unseeded:
            with suppress(StoreUnavailable):
                await self._script.report_unseeded(tenant)
            return False
        except (Refused, ValueError, TypeError) as error:  # by Redis, or by what packs them
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
        self.unsettled -= count
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


def _id_of(settlement: Settlement) -> str:
    if settlement.reservation is not None:
        return settlement.reservation.ask.id
    try:
        return decode(settlement.charge.row).id
    except UnreadableRow:
        return ""
