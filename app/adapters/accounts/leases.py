"""Leases of tenants that ask often: taken ahead of them, so that they do not wait for Redis.

A lease is a hold like any other, taken in one step in every scope, and its parts are settled one by
one. Here nothing is granted that was not taken. What is asked for where no lease has room for it is
asked of the account, as ever.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from enum import StrEnum
from typing import Final

from msgspec.structs import replace

from app.adapters.accounts.lease import AT_ONCE, Demand, Lease, nobody
from app.adapters.redis.account import Skewed, Unseeded
from app.adapters.redis.batch import NotSent
from app.domain.ledger.ledger_row import LedgerRow, RowKind, UnreadableRow, decode, encode
from app.domain.quota.lease import LEASE_S, is_ample, leased
from app.domain.quota.reservation import Amounts, Ask, Part, Refusal, Reservation
from app.errors import StoreUnavailable
from app.ports import Clock

#: Until the next try, after there was none.
PAUSE_S: Final = 1.0
#: Keys and models whose asks are counted; beyond so many those without a lease begin anew.
_REMEMBERED: Final = 16_384

#: Of which tenant, and by the identity of its scopes, limits and days which of its asks.
_Kind = tuple[str, int, int, int]
#: Who is told of each part of a lease.
Watchers = Callable[[Reservation], Callable[[Reservation], None]]


class Try(StrEnum):
    """How a try to take a lease ended; a closed set, for it is a metric's label."""

    TAKEN = "taken"
    STRICT = "strict"  # so little is left of a limit that each request asks for itself
    REFUSED = "refused"
    LOST = "lost"  # the account is out of reach


class Leases:
    """One worker's; something must run `keep_taking`, and call `close` at the end.

    `tried_total` counts by how they ended the tries to take one.
    """

    def __init__(
        self,
        reserve: Callable[[Ask], Awaitable[Reservation | Refusal]],
        give_back: Callable[[Ask | Reservation], None],
        clock: Clock,
        workers: Callable[[], int] | None,
        watchers: Watchers = lambda _lease: nobody,
    ) -> None:
        """`give_back` is told what nobody uses, and asks that may have been granted unheard.

        `workers` is by how many a limit is shared; None: no lease is taken. `watchers` says of a
        lease who is told of its parts.
        """
        self._reserve = reserve
        self._give_back = give_back
        self._clock = clock
        self._workers = workers
        self._watchers = watchers
        self._demands: dict[_Kind, Demand] = {}
        self._leasing: set[Demand] = set()  # of the demands, those that have leases
        self._open: dict[str, Lease] = {}  # by name, until its last part is settled
        self._wanted: list[Demand] = []
        self._taking: set[Demand] = set()  # wanted, or asked of the account
        self._news = asyncio.Event()
        self.tried_total: Counter[Try] = Counter()

    def part(self, ask: Ask) -> Reservation | None:
        """What is asked for, from a lease; None where it is to be asked of the account."""
        if self._workers is None or ask.aside:
            return None
        demand = self._demands.get(_kind(ask)) or self._new_demand(ask)
        if not demand.is_leasable:
            return None
        now = self._clock.now()
        part = demand.part(ask, now)
        if demand.wants(now):
            demand.taking = True
            self._taking.add(demand)
            self._wanted.append(demand)
            self._news.set()
        return part

    def note(self, granted: Reservation) -> None:
        """The account granted it by itself, and said what is left."""
        if self._workers is None:
            return
        demand = self._demands.get(_kind(granted.ask))
        if demand is not None:
            demand.ask, demand.left = granted.ask, granted.left

    def settled(self, part: Part) -> None:
        """A part of a lease ran to its end."""
        lease = self._open.get(part.lease)
        if lease is not None:
            lease.settled += 1
            if not lease.ends:
                self._forget_ended(lease)

    def held(self) -> Iterator[tuple[str, str]]:
        """Tenants and names of leases that are not settled as a whole."""
        for name, lease in self._open.items():
            yield lease.whole.ask.tenant, name

    def close(self) -> None:
        """Give back what nobody used, and take nothing any more."""
        self._workers = None
        for demand in self._leasing:
            self._end(demand.leases)
            demand.leases = []
        self._leasing.clear()

    async def keep_taking(self) -> None:
        """Take leases as they are wanted, and give back what is left of them when they end."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LEASE_S / 2 if self._leasing else None):
                    await self._news.wait()
            self._news.clear()
            self._end_some()
            wanted, self._wanted = self._wanted, []
            await asyncio.gather(*map(self._take, wanted))

    def _new_demand(self, ask: Ask) -> Demand:
        if len(self._demands) >= _REMEMBERED:
            self._forget_idle()
        made = self._demands[_kind(ask)] = Demand(ask, self._clock.now())
        return made

    def _forget_idle(self) -> None:
        kept = {kind: each for kind, each in self._demands.items() if each.leases or each.taking}
        self._demands = kept if len(kept) < _REMEMBERED else {}

    def _end_some(self) -> None:
        now = self._clock.now()
        for demand in list(self._leasing):
            self._end(demand.ended(now))
            if not demand.leases:
                self._leasing.discard(demand)

    def _end(self, leases: Iterable[Lease]) -> None:
        for lease in leases:
            lease.ends = 0.0
            if (unused := lease.close()) is not None:
                self._give_back(unused)
            self._forget_ended(lease)

    def _forget_ended(self, lease: Lease) -> None:
        if not lease.runs and not lease.ends:
            self._open.pop(lease.whole.ask.id, None)

    async def _take(self, demand: Demand) -> None:
        """Raises only what cancels it."""
        try:
            ended = await self._tried(demand, self._workers() if self._workers else 1)
        finally:
            demand.taking = False
            self._taking.discard(demand)
        self.tried_total[ended] += 1
        if ended is not Try.TAKEN:
            demand.again_at = self._clock.now() + PAUSE_S

    async def _tried(self, demand: Demand, workers: int) -> Try:
        ask, now = demand.ask, self._clock.now()
        sharers = workers * self._sharing(demand) * AT_ONCE
        if demand.left is None or not (
            amounts := leased(demand.wanted, ask.limits, demand.left, sharers)
        ):
            return Try.STRICT
        whole = _whole(ask, amounts)
        try:
            granted = await self._reserve(whole)
        except (NotSent, Skewed, Unseeded):
            return Try.LOST
        except (StoreUnavailable, asyncio.CancelledError) as error:
            self._give_back(whole)
            if isinstance(error, asyncio.CancelledError):
                raise
            return Try.LOST
        if isinstance(granted, Refusal):
            return Try.REFUSED
        lease = self._open[whole.id] = Lease(granted, now + LEASE_S, self._watchers(granted))
        demand.left = granted.left
        if self._workers is None or granted.over or not is_ample(ask.limits, granted.left):
            self._end([lease])
            return Try.STRICT
        demand.leases.append(lease)
        self._leasing.add(demand)
        return Try.TAKEN

    def _sharing(self, demand: Demand) -> int:
        """Keys and models of this tenant that a worker has leases for, or is to have."""
        tenant = demand.ask.tenant
        return sum(each.ask.tenant == tenant for each in self._leasing | self._taking)


def _kind(ask: Ask) -> _Kind:
    return ask.tenant, id(ask.scopes), id(ask.limits), id(ask.days)


def _whole(ask: Ask, amounts: Amounts) -> Ask:
    """A lease as it is asked for. Nobody runs on it as a whole: it counts in no concurrency."""
    name = secrets.token_hex(12)
    return replace(ask, id=name, amounts=amounts, aside=True, draft=_draft(ask, name, amounts))


def _draft(ask: Ask, name: str, amounts: Amounts) -> bytes:
    """The row that is written should nobody ever settle it: of whom it was, and for how many."""
    try:
        row = decode(ask.draft)
    except UnreadableRow:
        return ask.draft
    return encode(
        LedgerRow(
            id=name,
            kind=RowKind.RELEASED,
            at=row.at,
            tenant=row.tenant,
            key_id=row.key_id,
            model=row.model,
            operation=row.operation,
            reserved_tokens=amounts.tokens,
            reserved_nano_usd=amounts.nano_usd,
            flags=(f"lease:{amounts.requests}",),
            started_at=row.at,
        )
    )
