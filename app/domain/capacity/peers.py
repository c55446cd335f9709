"""What replicas tell each other of what they take from one deployment, and give back to it.

Totals are cumulative, so that the next message makes up for one that was lost. A replica that
corrects its belief says which totals are in it; whoever adopts it adds what came since.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from app.domain.capacity.refusals import Waits
from app.domain.capacity.shadow_bucket import Belief
from app.domain.capacity.shares import Claim

#: A replica that is silent for so long is gone.
GONE_S: Final = 60.0


@dataclass(slots=True)
class DeploymentNews:
    """From one replica, of one deployment; amounts in seconds of a PTU's capacity, or in tokens."""

    total: float = 0.0  # all that it ever took, less what it gave back
    fresh: float = 0.0  # of it, what came since it last told
    calls: int = 0  # since it last told
    #: By tenant, what it was charged since its replica last told.
    taken: dict[str, float] = field(default_factory=dict)
    asked: list[Claim] = field(default_factory=list)
    belief: Belief | None = None
    heard: dict[str, float] = field(default_factory=dict)  # by replica, the total that is in it
    returned: float = 0.0  # all that it ever gave back
    waits: Waits | None = None  # of its refusals, in seconds from now on
    age_s: float | None = None  # since when it has kept count of this deployment


class Change(NamedTuple):
    """What came to be known of another replica; a refused request is taken back, not returned."""

    taken: float
    returned: float


class _Heard(NamedTuple):
    total: float
    returned: float
    at: float


class Peers:
    """What one replica took of one deployment, and what it heard that others did.

    It outlives what is believed of the deployment, which begins anew where a reload changes it:
    totals that began anew, too, would look to the others as if all had been given back.
    """

    __slots__ = ("_heard", "_own", "_returned", "_told")

    def __init__(self) -> None:
        self._own = self._told = self._returned = 0.0
        self._heard: dict[str, _Heard] = {}

    def add(self, amount: float) -> None:
        """Something was taken here; below zero, given back."""
        self._own += amount
        if amount < 0:
            self._returned -= amount

    def undo(self, amount: float) -> None:
        """What was taken here was refused: it has never been there."""
        self._own -= amount

    def tell(self, news: DeploymentNews) -> None:
        """Fill in what others need to keep count."""
        news.total, news.fresh = self._own, self._own - self._told
        news.returned = self._returned
        news.heard = {peer: heard.total for peer, heard in self._heard.items()}
        self._told = self._own

    def has_begun(self, sender: str, news: DeploymentNews, now: float) -> bool:
        """Whether it keeps count anew since it was last heard of, or was never."""
        known = self._heard.get(sender)
        return known is None or (news.age_s is not None and now - news.age_s > known.at)

    def hear(self, sender: str, news: DeploymentNews, now: float) -> Change:
        """What the sender took and gave back that was not heard of yet."""
        known = self._heard.get(sender)
        self._heard[sender] = _Heard(news.total, news.returned, now)
        if known is not None and now - known.at < GONE_S:
            returned = max(0.0, news.returned - known.returned)
            return Change(news.total - known.total + returned, returned)
        self._heard = {peer: seen for peer, seen in self._heard.items() if now - seen.at < GONE_S}
        return Change(max(0.0, news.fresh), max(0.0, -news.fresh))

    def unheard(self, replica: str, news: DeploymentNews) -> float:
        """What this replica took that is not in the sender's belief; all of it is too much."""
        heard = news.heard.get(replica)
        return 0.0 if heard is None else self._own - heard
