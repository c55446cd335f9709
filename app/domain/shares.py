"""Who may use how much of a provisioned deployment while more is asked of it than it can do.

Each tenant that asks is entitled to a part of the capacity: its guarantee, and by its weight a part
of what is guaranteed to nobody who asks. Its credit, in seconds of that part, grows with time and
shrinks by what it takes: who takes just its part stays where it is, who takes less gets ahead of
the others, and who lives on what others leave falls behind. This is weighted fair queueing by
virtual times (Demers, Keshav, Shenker, 1989) for requests that are not queued but sent elsewhere.

A tenant leaves room for those ahead of it: for what they may take until they are level with it. So
an owner that comes finds room, and goes first until it has made up for its silence, as far back as
credit goes. The room left is a part of the bucket, not of what drains from it: whatever others are
owed, all that drains is used as long as anybody asks. Nobody is owed anything by a part of 0.

Amounts are sixtieths of the bucket, as ShadowBucket's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

#: Credit goes back so many seconds. Who is silent for as long has all of it, and is forgotten.
CREDIT_S: Final = 60.0
#: So far a tenant falls behind at most: what nobody else wanted is no debt.
DEBT_S: Final = 5.0
#: For a part by weight alone no more room is left than for so many seconds of it.
WEIGHED_S: Final = 5.0
#: Nor for all others' credit together; the rest of the bucket takes bursts.
MOST_LEFT: Final = 30.0
#: A class leaves so much for each higher one that has asked within the seconds.
CLASS_STEP: Final = 2.0
CLASS_ACTIVE_S: Final = 5.0
_SWEEP_S: Final = 1.0
_PRECISION_S: Final = 0.1


class RequestClass(IntEnum):
    """Who spills first: the lowest."""

    BATCH = 0
    STANDARD = 1
    INTERACTIVE = 2
    CRITICAL = 3


@dataclass(frozen=True, slots=True)
class Claim:
    """What a tenant may claim: `guarantee` is a part of each deployment, 0 to 1."""

    tenant: str
    guarantee: float = 0.0
    weight: float = 1.0
    request_class: RequestClass = RequestClass.STANDARD


class _Account:
    """One tenant's; `level_at` is when its credit would be 0, on the clock of what is earned."""

    __slots__ = ("asked_at", "claim", "guaranteed", "level_at", "weighed")

    def __init__(self, claim: Claim, now: float, level_at: float) -> None:
        self.claim = claim
        self.asked_at = now
        self.level_at = level_at
        self.guaranteed = self.weighed = 0.0

    @property
    def part(self) -> float:
        return self.guaranteed + self.weighed

    def credit(self, earned: float) -> float:
        return min(CREDIT_S, earned - self.level_at)

    def take(self, amount: float, earned: float) -> None:
        """Without a part there is no credit at all."""
        spent = amount / self.part if self.part else CREDIT_S + DEBT_S
        self.level_at = min(earned - self.credit(earned) + spent, earned + DEBT_S)


class Shares:
    """The tenants of one deployment, as one replica knows them; `now` never runs backwards."""

    __slots__ = ("_accounts", "_classes", "_earned", "_pace", "_swept", "_updated")

    def __init__(self, now: float) -> None:
        self._accounts: dict[str, _Account] = {}
        self._classes: dict[RequestClass, float] = {}
        self._earned = 0.0
        self._pace = 1.0
        self._updated = self._swept = now

    def asked(self, claim: Claim, now: float, pace: float = 1.0) -> None:
        """A tenant asks. `pace` is what all of them earn in a second."""
        self._earned, self._updated, self._pace = self._earned_at(now), now, pace
        self._classes[claim.request_class] = now
        if now - self._swept >= _SWEEP_S:
            self._sweep(now)
        account = self._accounts.get(claim.tenant)
        if account is None:
            self._accounts[claim.tenant] = _Account(claim, now, self._earned - CREDIT_S)
            self._entitle()
            return
        account.asked_at = now
        if account.claim != claim:
            account.claim = claim
            self._entitle()

    def headroom(self, claim: Claim, at: float) -> float:
        """What this tenant must leave free for others, now or later if nobody asks meanwhile."""
        earned = self._earned_at(at)
        own = self._accounts.get(claim.tenant)
        credit = CREDIT_S if own is None else own.credit(earned)
        left = min(self._owed(claim.request_class, credit, earned), MOST_LEFT)
        is_guaranteed = own is not None and own.guaranteed > 0 and credit > 0
        return left if is_guaranteed else left + CLASS_STEP * self._higher(claim.request_class, at)

    def room_at(self, claim: Claim, now: float, room_at: Callable[[float], float]) -> float:
        """When there is room for this tenant, if nobody asks meanwhile; not before, and soon after.

        `room_at` says when there is for who leaves so much.
        """
        latest = room_at(self.headroom(claim, now))
        soonest = max(now, room_at(0.0)) if latest > now else latest
        while latest - soonest > _PRECISION_S:
            middle = (soonest + latest) / 2
            if room_at(self.headroom(claim, middle)) <= middle:
                latest = middle
            else:
                soonest = middle
        return latest

    def took(self, tenant: str, amount: float) -> None:
        """A tenant took so much; below zero, it gave back."""
        account = self._accounts.get(tenant)
        if account is not None:
            account.take(amount, self._earned)

    def revealed(self, amount: float) -> None:
        """So much more is taken than was known of: less was there to earn than was thought.

        Otherwise a capacity believed too large would pile up credit until all have all of it.
        """
        self._earned -= amount

    def parts(self) -> dict[str, float]:
        """By tenant, the part of the capacity that it is entitled to now."""
        return {tenant: account.part for tenant, account in self._accounts.items()}

    def _earned_at(self, at: float) -> float:
        return self._earned + max(0.0, at - self._updated) * self._pace

    def _owed(self, request_class: RequestClass, credit: float, earned: float) -> float:
        """To those ahead of this credit; of lower classes, by their guarantees alone."""
        owed, level_at = 0.0, earned - credit
        for other in self._accounts.values():
            if other.level_at < level_at:
                ahead = min(CREDIT_S, earned - other.level_at) - credit
                owed += other.guaranteed * ahead
                if other.claim.request_class >= request_class:
                    owed += other.weighed * min(ahead, WEIGHED_S)
        return owed

    def _higher(self, request_class: RequestClass, at: float) -> int:
        return sum(
            at - asked_at < CLASS_ACTIVE_S
            for other, asked_at in self._classes.items()
            if other > request_class
        )

    def _sweep(self, now: float) -> None:
        self._swept = now
        accounts = self._accounts
        gone = [name for name, each in accounts.items() if now - each.asked_at >= CREDIT_S]
        for tenant in gone:
            del accounts[tenant]
        if gone:
            self._entitle()

    def _entitle(self) -> None:
        """Guarantees first, in proportion where there are too many; the rest by weight."""
        accounts = self._accounts.values()
        guaranteed = sum(account.claim.guarantee for account in accounts)
        weights = sum(account.claim.weight for account in accounts) or 1.0
        scale, rest = 1 / max(1.0, guaranteed), max(0.0, 1 - guaranteed)
        for account in accounts:
            claim = account.claim
            account.guaranteed = claim.guarantee * scale
            account.weighed = rest * claim.weight / weights
