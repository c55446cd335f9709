"""All deployments' capacity, as one replica knows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import inf

from app.domain.capacity.capacity import DeploymentCapacity, Place
from app.domain.capacity.demand import Load
from app.domain.capacity.paygo_window import Lowered, Paygo, PaygoCapacity
from app.domain.capacity.peers import DeploymentNews, Peers
from app.domain.capacity.provisioned import Provisioned, PtuCapacity
from app.domain.capacity.room import Room
from app.domain.capacity.shadow_bucket import DEPTH

Configured = PtuCapacity | PaygoCapacity


class CapacityBook:
    """By deployment; one that is not in it is taken to have room for everything."""

    def __init__(self, replica: str) -> None:
        """`replica` is this one's name among those that hear each other."""
        self._replica = replica
        self._configured: dict[str, Configured] = {}
        self._known: dict[str, DeploymentCapacity] = {}
        self._peers: dict[str, Peers] = {}
        #: Called when something was taken, which others should hear of at once.
        self.on_take: Callable[[], object] = _nothing

    def follow(
        self,
        configured: Mapping[str, Configured],
        now: float,
        *,
        largest_ptu_fraction: float | None = None,
    ) -> None:
        """Have these deployments; what was learnt of those that stay as they are stays, too.

        While several tenants share a PTU, no request is to take more than the fraction of its
        bucket, if there is one.
        """
        self._known = {
            name: self._known[name]
            if self._configured.get(name) == each
            else self._begun(each, self._peers.setdefault(name, Peers()), now)
            for name, each in configured.items()
        }
        self._configured = dict(configured)
        for each in self._known.values():
            if isinstance(each, Provisioned):
                fraction = largest_ptu_fraction
                each.largest_s = inf if fraction is None else fraction * DEPTH

    def rooms(self, names: Iterable[str], load: Load, now: float) -> dict[str, Room]:
        """What there is room for; nothing of deployments of which nothing is known."""
        known = self._known
        rooms: dict[str, Room] = {}
        for name in names:
            if name in known:
                rooms[name] = known[name].room(load, now)
        return rooms

    def take(self, deployment: str, load: Load, now: float) -> Place | None:
        """Take what a request may need that is sent now."""
        known = self._known.get(deployment)
        if known is None:
            return None
        self.on_take()
        return known.take(load, now)

    def utilizations(self, now: float) -> dict[str, float]:
        """By deployment, the used part of its capacity."""
        return {name: each.utilization(now) for name, each in self._known.items()}

    def parts(self, deployment: str, now: float) -> dict[str, float]:
        """By tenant that asks of it now, the part that it is entitled to; of a PTU alone."""
        known = self._known.get(deployment)
        return known.parts(now) if isinstance(known, Provisioned) else {}

    def capacities(self, now: float) -> dict[str, float]:
        """By deployment that has a limit in tokens, how many a minute it takes now."""
        lowered = self.lowered(now)
        found = ((name, _tpm(each)) for name, each in self._configured.items())
        return {
            name: float(lowered[name].tpm) if name in lowered else tpm
            for name, tpm in found
            if tpm is not None
        }

    def lowered(self, now: float) -> dict[str, Lowered]:
        """By deployment, where Azure lets in less than configured."""
        paygo = ((name, each) for name, each in self._known.items() if isinstance(each, Paygo))
        found = ((name, each.lowered(now)) for name, each in paygo)
        return {name: lowered for name, lowered in found if lowered is not None}

    def news(self, now: float) -> dict[str, DeploymentNews]:
        """What to tell the other replicas."""
        told = ((name, each.news(now)) for name, each in self._known.items())
        return {name: news for name, news in told if news is not None}

    def hear(self, sender: str, news: Mapping[str, DeploymentNews], now: float) -> None:
        """What another replica told; deployments that are not ours are not our business."""
        for name, each in news.items():
            known = self._known.get(name)
            if known is not None:
                known.hear(sender, each, now)

    def _begun(self, configured: Configured, peers: Peers, now: float) -> DeploymentCapacity:
        if isinstance(configured, PtuCapacity):
            return Provisioned(configured, self._replica, now, peers=peers)
        return Paygo(configured, peers=peers)


def _tpm(configured: Configured) -> float | None:
    if isinstance(configured, PtuCapacity):
        return round(configured.tokens_per_s * 60, 3)
    return configured.tpm


def _nothing() -> None:
    """Nobody wants to know."""
