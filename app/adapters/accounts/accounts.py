"""Tenants' accounts in Redis, and what is done while it is out of reach.

To reserve takes one round trip. Settling waits for nothing: it is sent in batches, again and again
until Redis has it, and what a reply lost in between repeats counts once. While Redis is away each
tenant's policy decides; what was granted then is settled afterwards like everything else.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import structlog

from app.adapters.accounts.lease import nobody
from app.adapters.accounts.leases import Leases, Watchers
from app.adapters.accounts.local_accounts import LocalAccounts
from app.adapters.accounts.replay import Replay
from app.adapters.accounts.settlements import Settlements
from app.adapters.accounts.spool import Spool
from app.adapters.background import background
from app.adapters.redis.account import AccountScript, Settlement, Skewed, Unseeded
from app.adapters.redis.batch import NotSent
from app.adapters.redis.replicas import Replicas
from app.domain.identity.tenant import LossPolicy, Tenant
from app.domain.quota.calendar import CalendarWindow, days_around, months_around
from app.domain.quota.limit import Limit
from app.domain.quota.reservation import Amounts, Ask, Charge, Refusal, Reservation
from app.errors import QuotaUnavailable, StoreUnavailable
from app.ports import Clock

#: The part of each limit that all workers together grant without Redis.
LOCAL_PART: Final = 0.5
HEARTBEAT_S: Final = 30.0
#: How long a request waits for its account to be seeded, and none does after one did in vain.
SEEDING_S: Final = 0.5
NOT_SEEDED_S: Final = 30.0
#: Extensions of one script call.
_AT_ONCE: Final = 100
#: Beyond so many waiting entries, rows of refusals are dropped; charges never are.
_MOST_WAITING: Final = 10_000


class Watch(msgspec.Struct, frozen=True):
    """Whoever wants to know what accounts grant and refuse; not told where one is out of reach.

    `parts` says of a lease who is told of its parts, for not all need be; None: `granted` is.
    """

    granted: Callable[[Reservation], None] = nobody
    refused: Callable[[Ask, Refusal], None] = nobody
    parts: Watchers | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """How a worker keeps accounts.

    Below `archive`, the ledger's, is what Redis does not take; what workers that are gone left
    there is settled, too. Without `leases` every request is asked of its account.
    """

    archive: Path | None = None
    watch: Watch = field(default_factory=Watch)
    leases: bool = True


_USUAL: Final = Options()


class SharedAccounts:
    """All tenants' accounts; open within `shared_accounts`."""

    def __init__(
        self,
        script: AccountScript,
        replicas: Replicas,
        clock: Clock,
        settlements: Settlements,
        options: Options = _USUAL,
    ) -> None:
        """`replicas` knows by how many workers a share is divided."""
        self._script = script
        self._replicas = replicas
        self._clock = clock
        self.settlements = settlements
        self._watch = options.watch
        self._local = LocalAccounts(clock)
        workers = (lambda: replicas.count) if options.leases else None
        watchers = self._watch.parts or (lambda _lease: self._watch.granted)
        self.leases = Leases(script.reserve, self._end_lease, clock, workers, watchers)
        self.leased = self.leases.part
        self._live: defaultdict[str, set[str]] = defaultdict(set)
        self._not_seeded_until: dict[str, float] = {}
        self.out_of_reach_total: Counter[LossPolicy] = Counter()  # by the policy that held
        self.dropped_total = 0

    async def reserve(self, ask: Ask, tenant: Tenant) -> Reservation | Refusal:
        """Take the ask in every scope, or say which limit has no room.

        Raises QuotaUnavailable where the account is out of reach and the policy is to refuse.
        """
        try:
            try:
                granted = await self._script.reserve(ask)
            except (Skewed, Unseeded) as state:
                granted = await self._reserved_after_all(ask, tenant, state)
        except (NotSent, Skewed, Unseeded):
            return self._without_store(ask, tenant.redis_loss)
        except StoreUnavailable:
            if tenant.redis_loss is LossPolicy.FAIL_CLOSED:
                self._give_back(ask)
            return self._without_store(ask, tenant.redis_loss)
        except asyncio.CancelledError:
            self._give_back(ask)
            raise
        if isinstance(granted, Reservation):
            self._live[ask.tenant].add(ask.id)
            self.leases.note(granted)
            self._watch.granted(granted)
        else:
            self._watch.refused(ask, granted)
        return granted

    def settle(self, reservation: Reservation, charge: Charge) -> None:
        """Have it charged, once; nobody waits for it."""
        ask = reservation.ask
        if reservation.part is not None:
            self.leases.settled(reservation.part)
        elif reservation.degraded is None:
            self._live[ask.tenant].discard(ask.id)
        else:
            self._local.settle(reservation, charge.actual, spilled=charge.spilled)
        self.settlements.add(ask.tenant, Settlement(reservation, charge))

    async def read(
        self,
        tenant: str,
        limits: Sequence[Limit],
        days: Sequence[CalendarWindow],
        months: Sequence[CalendarWindow],
    ) -> tuple[int, ...]:
        """How much of each limit is used or held. Raises StoreUnavailable."""
        try:
            _, used = await self._script.read(tenant, limits, days, months)
        except Skewed:
            raise StoreUnavailable("This worker's clock is days off.") from None
        return used

    def record(self, tenant: str, row: bytes) -> None:
        """Have a row in the ledger for what reserved nothing; dropped while too many wait."""
        if self.unsettled > _MOST_WAITING:
            self.dropped_total += 1
            return
        self.settlements.add(tenant, Settlement(None, Charge(Amounts(), row)))

    @property
    def unsettled(self) -> int:
        """Settlements that Redis has not confirmed yet."""
        return self.settlements.unsettled

    async def settled(self, within_s: float) -> bool:
        """Wait until Redis has everything; False where time ran out."""
        return await self.settlements.settled(within_s)

    async def _reserved_after_all(
        self, ask: Ask, tenant: Tenant, state: Skewed | Unseeded
    ) -> Reservation | Refusal:
        if isinstance(state, Unseeded):
            return await self._when_seeded(ask)
        days, months = days_around(state.now, tenant.zone), months_around(state.now, tenant.zone)
        return await self._script.reserve(ask.at(days, months))

    async def _when_seeded(self, ask: Ask) -> Reservation | Refusal:
        """Wait a moment for a new or lost account; once in a while where nobody seeds it."""
        await self._script.report_unseeded(ask.tenant)
        now = self._clock.now()
        if now < self._not_seeded_until.get(ask.tenant, now):
            raise Unseeded
        while self._clock.now() < now + SEEDING_S:
            await asyncio.sleep(SEEDING_S / 10)
            with suppress(Unseeded):
                return await self._script.reserve(ask)
        self._not_seeded_until[ask.tenant] = now + NOT_SEEDED_S
        raise Unseeded

    def _without_store(self, ask: Ask, policy: LossPolicy) -> Reservation | Refusal:
        self.out_of_reach_total[policy] += 1
        if policy is LossPolicy.FAIL_CLOSED:
            message = "The gateway cannot check this tenant's quota at the moment."
            raise QuotaUnavailable(message, retry_after_s=1.0)
        share = None if policy is LossPolicy.FAIL_OPEN else LOCAL_PART / self._replicas.count
        return self._local.reserve(ask, share, policy.value)

    def _give_back(self, ask: Ask) -> None:
        """Release what may have been granted without our hearing of it."""
        self.settle(_unheard(ask), Charge(Amounts(), ask.draft))

    def _end_lease(self, lease: Ask | Reservation) -> None:
        """Release what nobody used; the ledger has a row for each request, and none for a lease."""
        unused = _unheard(lease) if isinstance(lease, Ask) else lease
        self.settlements.add(unused.ask.tenant, Settlement(unused, Charge(Amounts(), b"")))

    async def keep_alive(self) -> None:
        """Extend what is held, for as long as it is held."""
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            for tenant, ids in self._held().items():
                for part in _parts(ids):
                    with suppress(StoreUnavailable):  # the next beat is in time, too
                        await self._script.extend(tenant, part)

    def _held(self) -> dict[str, list[str]]:
        """By tenant, the ids of what is held."""
        held = {tenant: list(ids) for tenant, ids in self._live.items()}
        for tenant, lease in self.leases.held():
            held.setdefault(tenant, []).append(lease)
        return held


def _unheard(ask: Ask) -> Reservation:
    """What an account may have granted, as far as it takes to give it back."""
    return Reservation(ask, generation="", day=ask.days[1], month=ask.months[1])


def _parts(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE)]


@asynccontextmanager
async def shared_accounts(
    script: AccountScript,
    replicas: Replicas,
    clock: Clock,
    *,
    drain_s: float,
    options: Options = _USUAL,
) -> AsyncIterator[SharedAccounts]:
    """Accounts that settle and keep alive; on leaving, `drain_s` seconds are given to settle."""
    replay = Replay(options.archive, script, clock) if options.archive else None
    spool = Spool(replay.directory, replicas.worker) if replay else None
    settlements = Settlements(script, clock, spool)
    accounts = SharedAccounts(script, replicas, clock, settlements, options)
    works = [settlements.keep_settling, settlements.keep_spooling, accounts.keep_alive]
    works.append(accounts.leases.keep_taking)
    if replay:
        works.append(replay.keep_replaying)
    try:
        async with background("accounts", *works):
            try:
                yield accounts
            finally:
                accounts.leases.close()
                await settlements.settled(drain_s)
    finally:
        await _left(settlements)
        if spool:
            spool.close()


async def _left(settlements: Settlements) -> None:
    """What is not settled by now is left to whoever comes next."""
    if not settlements.unsettled:
        return
    log, lost = structlog.get_logger(), await settlements.spool_all()
    if lost:
        log.error("settlements_lost", count=lost)
    if settlements.unsettled > lost:
        log.warning("settlements_spooled", count=settlements.unsettled - lost)
