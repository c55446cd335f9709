"""One provisioned deployment as one replica knows it: how full it is, and who may use the rest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Final

import msgspec
from msgspec.structs import replace

from app.domain.capacity.capacity import CapacityTold
from app.domain.capacity.demand import Demand, Load
from app.domain.capacity.peers import DeploymentNews, Peers
from app.domain.capacity.refusals import Refusals
from app.domain.capacity.room import Room
from app.domain.capacity.shadow_bucket import DEPTH, Mark, ShadowBucket
from app.domain.capacity.shares import CREDIT_S, MOST_HEADROOM, Claim, Shares
from app.domain.capacity.spill import SpillReason
from app.domain.capacity.wait import Wait

#: That a tenant asks is told at most so often; its claim lasts for longer.
ASKED_EVERY_S: Final = 1.0
_ROUNDING: Final = 1e-9
_NONE: Final = SpillReason.NONE


@dataclass(frozen=True, slots=True)
class PtuCapacity:
    """What a deployment can do: input tokens a second, and what other tokens weigh in them.

    Azure: provisioned throughput sizing page, 2026-05.
    """

    tokens_per_s: float
    output_ratio: float
    cached_weight: float = 0.0

    def seconds(self, demand: Demand) -> float:
        """For how long such a demand takes all of the capacity."""
        cached = min(demand.cached, demand.prompt) * (1 - self.cached_weight)
        return (demand.prompt - cached + self.output_ratio * demand.output) / self.tokens_per_s


#: Those that began within it count as of the same age, seconds: longer than news take.
_TOGETHER_S: Final = 0.25


class Provisioned:
    """`now` is seconds of one clock that never runs backwards."""

    __slots__ = (
        "_begun",
        "_bucket",
        "_capacity",
        "_has_learnt",
        "_news",
        "_peers",
        "_refusals",
        "_shares",
        "_told",
        "_told_since",
        "largest_s",
        "replica",
    )

    def __init__(
        self, capacity: PtuCapacity, replica: str, now: float, *, peers: Peers | None = None
    ) -> None:
        """`replica` is this one's name among those that hear each other.

        `peers`: what was counted before a reload.
        """
        self._begun = now
        self._capacity = capacity
        self.replica = replica
        self._bucket = ShadowBucket(now)
        self._shares = Shares(now)
        self._peers = Peers() if peers is None else peers
        self._refusals = Refusals(replica)
        self._told: set[str] = set()  # that they ask, in this second
        self._told_since = now
        self._news: DeploymentNews | None = None
        self._has_learnt = False  # something that others should believe, too
        #: What one request may weigh while other tenants ask, in sixtieths of the bucket.
        self.largest_s = inf

    def room(self, load: Load, now: float) -> Room:
        """When there is room for a request of this tenant and class, which asks hereby."""
        self._ask(load.claim, now)
        room, sooner_s = self._room(load, now), self._refusals.sooner_s(now)
        return replace(room, sooner_s=sooner_s) if sooner_s else room

    def _room(self, load: Load, now: float) -> Room:
        bucket, shares, claim = self._bucket, self._shares, load.claim
        left, at = MOST_HEADROOM, now  # to others, at most: then nobody need be looked at
        if not bucket.has_room(now, left):
            left = shares.headroom(claim, now)
            if not bucket.has_room(now, left):
                at = shares.room_at(claim, now, partial(bucket.room_at, now), left)
        used = bucket.utilization(now)
        if at <= now:
            return self._kept_free(load, now, used) or Room(now, _NONE, used)
        shared = bucket.room_at(now) <= now
        reason = SpillReason.SHARE if shared else SpillReason.PREDICTED
        earliest = shares.room_at(claim, now, partial(bucket.earliest_at, now), left)
        firm = earliest > now and bucket.is_fresh(now)
        return Room(at, reason, used, firm, earliest)

    def take(self, load: Load, now: float) -> PtuPlace:
        """Take what the request may need."""
        seconds, tenant = self._capacity.seconds(load.demand), load.claim.tenant
        added = self._bucket.take(seconds, now)
        self._peers.add(seconds)
        charged = self._charge(tenant, added)
        return PtuPlace(self, load, seconds, added, charged, self._bucket.mark())

    def utilization(self, now: float) -> float:
        """The filled part: 1.0 is full, and more is possible."""
        return self._bucket.utilization(now)

    def parts(self, now: float) -> dict[str, float]:
        """By tenant that asks, the part that it is entitled to."""
        return self._shares.parts(now)

    def news(self, now: float) -> DeploymentNews | None:
        """What other replicas should know since this was last asked."""
        news, self._news = self._news, None
        if news is not None:
            self._peers.tell(news)
            news.waits, news.age_s = self._refusals.own(now), now - self._begun
            if self._has_learnt:
                news.belief, self._has_learnt = self._bucket.belief(), False
        return news

    def hear(self, sender: str, news: DeploymentNews, now: float) -> None:
        """What another replica took and learnt."""
        for claim in news.asked:
            self._shares.asked(claim, now, self._bucket.pace)
        for tenant, seconds in news.taken.items():
            self._shares.took(tenant, seconds * self._bucket.scale)
        if self._peers.has_begun(sender, news, now):
            self._introduce(sender, news, now)
        change = self._peers.hear(sender, news, now)
        self._bucket.heard(change.taken, change.returned, now)
        self._returned(change.returned, now)
        if news.waits is not None:
            self._refusals.hear(sender, news.waits, now)
        if news.belief is not None:
            before = self._bucket.utilization(now)
            unheard = self._peers.unheard(self.replica, news)
            self._bucket.adopt(news.belief, unheard, now)
            self._revealed(before, now)

    def accepted(self, place: PtuPlace, told: CapacityTold, now: float) -> None:
        """A request was let in."""
        before = self._bucket.utilization(now)
        if told.utilization is None:
            learnt = self._bucket.accepted(place.mark, place.added, now)
        else:
            learnt = self._bucket.told(told.utilization, place.mark, now)
        self._revealed(before, now)
        self._tell_belief(learnt=learnt)

    def refused(self, place: PtuPlace, wait: Wait | None, now: float) -> None:
        """A request was refused, and took nothing."""
        self._bucket.undo(place.seconds, now)
        self._peers.undo(place.seconds)
        self._charge(place.load.claim.tenant, -place.charged)
        place.seconds, place.charged, place.is_settled = 0.0, 0.0, True
        if wait is not None:
            self._wait(place, wait, now)
        before = self._bucket.utilization(now)
        learnt = self._bucket.refused(place.mark, wait, now)
        self._revealed(before, now)
        self._tell_belief(learnt=learnt)

    def settle(self, place: PtuPlace, used: Demand | None, now: float) -> None:
        """Correct what was taken by what was used.

        Where Azure has revealed the level meanwhile, its own estimate of the request is in it and
        ours is not. Azure's differs from ours by what we did not know of the prompt, which its
        usage tells; so what is left to correct is the answer. The tenant is charged what was used.
        """
        seconds = self._capacity.seconds(used) if used is not None else 0.0
        taken = place.seconds
        if used is not None and not place.is_settled and self._bucket.has_synced(place.mark):
            estimate = Demand(used.prompt, place.load.demand.output, used.cached)
            taken = self._capacity.seconds(estimate)
        difference, weighed = seconds - taken, seconds * self._bucket.scale
        if not place.is_settled:
            self._shares.served(weighed)
        place.seconds, place.is_settled = seconds, True
        if difference:
            self._bucket.correct(difference, now)
            self._peers.add(difference)
            self._to_tell()
            self._returned(-difference, now)
        owing = weighed - place.charged
        if abs(owing) > _ROUNDING:
            place.charged += self._charge(place.load.claim.tenant, owing)

    def _kept_free(self, load: Load, now: float, used: float) -> Room | None:
        """For others, of a request so large that they would find nothing for long.

        Not firm: a request that can go nowhere else takes the room that there is.
        """
        largest_s = self.largest_s
        if (
            largest_s == inf
            or self._capacity.seconds(load.demand) * self._bucket.scale <= largest_s
        ):
            return None
        alone_at = self._shares.others_asked_at(load.claim.tenant) + CREDIT_S
        if alone_at <= now:
            return None
        return Room(alone_at, SpillReason.SIZE, used, firm=False, earliest=now)

    def _ask(self, claim: Claim, now: float) -> None:
        self._shares.asked(claim, now, self._bucket.pace)
        if now - self._told_since >= ASKED_EVERY_S:
            self._told_since = now
            self._told.clear()
        if claim.tenant not in self._told:
            self._told.add(claim.tenant)
            self._to_tell().asked.append(claim)

    def _charge(self, tenant: str, amount: float) -> float:
        """Have a tenant pay, or paid back; what it was charged."""
        charged = self._shares.took(tenant, amount)
        taken = self._to_tell().taken
        taken[tenant] = taken.get(tenant, 0.0) + charged / self._bucket.scale
        return charged

    def _wait(self, place: PtuPlace, wait: Wait, now: float) -> None:
        told = now + wait.seconds
        back = self._bucket.returned_since(place.mark) / self._bucket.pace
        self._refusals.refused(told, told - back, now)

    def _returned(self, seconds: float, now: float) -> None:
        """Something came back, here or elsewhere: a hold ends sooner by what would have drained."""
        drained = seconds * self._bucket.scale / self._bucket.pace
        if drained > 0 and self._refusals.returned(drained, now):
            self._to_tell()

    def _revealed(self, before: float, now: float) -> None:
        """After what may have shown that the bucket is fuller, or emptier, than was believed."""
        self._shares.revealed((self._bucket.utilization(now) - before) * DEPTH)

    def _introduce(self, sender: str, news: DeploymentNews, now: float) -> None:
        """Tell the younger one, who knows nothing yet; or be known to the older one, who tells."""
        self._to_tell()
        self._tell_belief(learnt=self._is_older(sender, news, now))

    def _is_older(self, sender: str, news: DeploymentNews, now: float) -> bool:
        """Than the sender; where that does not say, than a moment, as it is of another version.

        News take a while, in which the one that hears grows older: of two that began together both
        would think so, and exchange what they believe. Then the names decide.
        """
        older_s = now - self._begun - (ASKED_EVERY_S if news.age_s is None else news.age_s)
        if news.age_s is not None and abs(older_s) < _TOGETHER_S:
            return self.replica < sender
        return older_s >= 0

    def _tell_belief(self, *, learnt: bool) -> None:
        if learnt:
            self._to_tell()
            self._has_learnt = True

    def _to_tell(self) -> DeploymentNews:
        if self._news is None:
            self._news = DeploymentNews()
        return self._news


class PtuPlace(msgspec.Struct, eq=False):
    """What one request takes of a deployment; see Place."""

    _deployment: Provisioned
    load: Load
    seconds: float
    added: float
    charged: float
    mark: Mark
    is_settled: bool = False

    def accepted(self, told: CapacityTold, now: float) -> None:
        """It was let in."""
        self._deployment.accepted(self, told, now)

    def refused(self, _told: CapacityTold, wait: Wait | None, now: float) -> None:
        """It was refused for want of capacity."""
        self._deployment.refused(self, wait, now)

    def settle(self, used: Demand | None, now: float) -> None:
        """It is over; settling again corrects again."""
        self._deployment.settle(self, used, now)
