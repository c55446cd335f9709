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

Room that is left is work that the bucket does not hold when demand falls, and so is lost then. For
a guarantee it is what was promised. For a part by weight it is the least that others need to get
in beside a flood, which is room for a few requests, however long they have been silent.

Amounts are sixtieths of the bucket, as ShadowBucket's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from math import inf
from typing import Final

from app.domain.capacity.ladder import Ladder, Rung

#: Credit goes back so many seconds. Who is silent for as long has all of it, and is forgotten.
CREDIT_S: Final = 60.0
#: So far a tenant falls behind at most: what nobody else wanted is no debt.
DEBT_S: Final = 5.0
#: For a part by weight alone no more room is left than for so many seconds of it.
WEIGHED_S: Final = 5.0
#: Nor for all of these together more than for so many requests as the deployment serves: whoever
#: asks next finds room while the one before it, and that of the flood, drain.
WEIGHED_REQUESTS: Final = 5.0
#: Nor for all others' credit together; the rest of the bucket takes bursts.
MOST_LEFT: Final = 30.0
#: A class leaves so much for each higher one that has asked within the seconds.
CLASS_STEP: Final = 2.0
CLASS_ACTIVE_S: Final = 5.0
#: Sizes are averaged over so many seconds of capacity that went to requests here.
_SIZES_OF: Final = 10.0
#: Before any is over they are believed to be so large that WEIGHED_S alone counts.
_FIRST_SIZE: Final = WEIGHED_S / WEIGHED_REQUESTS
_SWEEP_S: Final = 1.0
_PRECISION_S: Final = 0.1


class RequestClass(IntEnum):
    """Who spills first: the lowest."""

    BATCH = 0
    STANDARD = 1
    INTERACTIVE = 2
    CRITICAL = 3


#: Nobody has to leave more than this, however far others are ahead.
MOST_HEADROOM: Final = MOST_LEFT + CLASS_STEP * RequestClass.CRITICAL


@dataclass(frozen=True, slots=True)
class Claim:
    """What a tenant may claim: `guarantee` is a part of each deployment, 0 to 1."""

    tenant: str
    guarantee: float = 0.0
    weight: float = 1.0
    request_class: RequestClass = RequestClass.STANDARD


class Shares:
    """The tenants of one deployment, as one replica knows them; `now` never runs backwards.

    A tenant's level is when its credit would be 0, on the clock of what is earned.
    """

    __slots__ = (
        "_asked",
        "_before",
        "_claims",
        "_classes",
        "_earned",
        "_guaranteed",
        "_ladder",
        "_last_asked",
        "_last_tenant",
        "_pace",
        "_rest",
        "_size",
        "_swept",
        "_updated",
        "_weights",
    )

    def __init__(self, now: float) -> None:
        self._claims: dict[str, Claim] = {}
        self._asked: dict[str, float] = {}  # when last
        self._classes: dict[RequestClass, float] = {}
        self._ladder = Ladder()
        self._earned = 0.0
        self._pace = 1.0
        self._size = _FIRST_SIZE
        self._updated = self._swept = now
        self._last_tenant = ""  # that asked, when, and when anybody else had asked before
        self._last_asked = self._before = -inf
        self._guaranteed = self._weights = self._rest = 1.0

    def asked(self, claim: Claim, now: float, pace: float = 1.0) -> None:
        """A tenant asks. `pace` is what all of them earn in a second."""
        self._earned, self._updated, self._pace = self._earned_at(now), now, pace
        self._classes[claim.request_class] = now
        if now - self._swept >= _SWEEP_S:
            self._sweep(now)
        tenant = claim.tenant
        self._asked[tenant] = now
        if tenant != self._last_tenant:
            self._last_tenant, self._before = tenant, self._last_asked
        self._last_asked = now
        known = self._claims.get(tenant)
        if known is not claim and known != claim:
            rung = self._ladder.get(tenant)
            level_at = self._earned - CREDIT_S if rung is None else rung.level
            self._claims[tenant] = claim
            self._ladder.put(tenant, _rung(level_at, claim))
            self._entitle()

    def headroom(self, claim: Claim, at: float) -> float:
        """What this tenant must leave free for others, now or later if nobody asks meanwhile."""
        earned = self._earned_at(at)
        rung = self._ladder.get(claim.tenant)
        credit = CREDIT_S if rung is None else _credit(rung, earned)
        left = min(self._owed(claim.request_class, credit, earned), MOST_LEFT)
        is_guaranteed = rung is not None and rung.guarantee > 0 and credit > 0
        return left if is_guaranteed else left + CLASS_STEP * self._higher(claim.request_class, at)

    def room_at(
        self, claim: Claim, now: float, room_at: Callable[[float], float], left: float
    ) -> float:
        """When there is room for this tenant, if nobody asks meanwhile; not before, and soon after.

        `room_at` says when there is for who leaves so much; `left` is what this one has to leave
        now.
        """
        latest = room_at(left)
        if latest <= now:
            return latest
        # The later, the less is to be left: so who leaves what is to be left at some time has room
        # too late where that time is before it, and too soon where it is after.
        soonest = max(now, room_at(self.headroom(claim, latest)))
        while latest - soonest > _PRECISION_S:
            middle = (soonest + latest) / 2
            there = room_at(self.headroom(claim, middle))
            if there <= middle:
                soonest, latest = max(soonest, there), middle
            else:
                soonest, latest = middle, min(latest, there)
        return latest

    def took(self, tenant: str, amount: float) -> float:
        """A tenant took so much; below zero, it gives back. Without a part there is no credit.

        What it was charged: less than it took where it fell behind as far as one can. Who gives
        back more than that would get credit for what it never paid.
        """
        rung, claim = self._ladder.get(tenant), self._claims.get(tenant)
        if rung is None or claim is None:
            return 0.0
        part, earned = self._part(claim), self._earned
        level_at = earned - _credit(rung, earned)
        spent = min(amount / part if part else inf, earned + DEBT_S - level_at)
        moved = Rung(level_at + spent, rung.guarantee, rung.weight, rung.rank)
        self._ladder.put(tenant, moved)
        return spent * part

    def served(self, amount: float) -> None:
        """A request is over that used so much.

        Sizes are averaged over what was used, not over requests: of many small ones and a few large
        it is the large that others wait for.
        """
        self._size += amount / (amount + _SIZES_OF) * (amount - self._size)

    def revealed(self, amount: float) -> None:
        """So much more is taken than was known of: less was there to earn than was thought.

        Otherwise a capacity believed too large would pile up credit until all have all of it.
        """
        self._earned -= amount

    def others_asked_at(self, tenant: str) -> float:
        """When anybody but this tenant asked last; -inf where nobody ever has."""
        return self._before if tenant == self._last_tenant else self._last_asked

    def parts(self, now: float) -> dict[str, float]:
        """By tenant that asks, the part of the capacity that it is entitled to now."""
        self._sweep(now)
        return {tenant: self._part(claim) for tenant, claim in self._claims.items()}

    def _earned_at(self, at: float) -> float:
        return self._earned + max(0.0, at - self._updated) * self._pace

    def _part(self, claim: Claim) -> float:
        by_weight = self._rest * claim.weight / self._weights
        return claim.guarantee / self._guaranteed + by_weight

    def _owed(self, request_class: RequestClass, credit: float, earned: float) -> float:
        """To those ahead of this credit; of lower classes, by their guarantees alone."""
        most = CREDIT_S - credit  # nobody is further ahead
        if most <= 0:
            return 0.0
        weighed_s = min(most, WEIGHED_S)
        found = self._ladder.ahead(earned - credit, most, weighed_s, request_class)
        owed = found[0] / self._guaranteed
        if self._rest:
            weighed = self._rest * found[1] / self._weights
            owed += min(weighed, WEIGHED_REQUESTS * self._size)
        return max(0.0, owed)

    def _higher(self, request_class: RequestClass, at: float) -> int:
        higher = 0
        for other, asked_at in self._classes.items():
            if other > request_class and at - asked_at < CLASS_ACTIVE_S:
                higher += 1
        return higher

    def _sweep(self, now: float) -> None:
        self._swept = now
        gone = [tenant for tenant, asked in self._asked.items() if now - asked >= CREDIT_S]
        for tenant in gone:
            del self._asked[tenant], self._claims[tenant]
            self._ladder.drop(tenant)
        if gone:
            self._entitle()

    def _entitle(self) -> None:
        """Guarantees first, in proportion where there are too many; the rest by weight."""
        guaranteed = sum(rung.guarantee for rung in self._ladder)
        self._guaranteed, self._rest = max(1.0, guaranteed), max(0.0, 1 - guaranteed)
        self._weights = sum(rung.weight for rung in self._ladder) or 1.0


def _rung(level_at: float, claim: Claim) -> Rung:
    return Rung(level_at, claim.guarantee, claim.weight, claim.request_class)


def _credit(rung: Rung, earned: float) -> float:
    return min(CREDIT_S, earned - rung.level)
