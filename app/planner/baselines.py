"""What gateways do today, to compare with: none of them predicts."""

from __future__ import annotations

from typing import Final

from app.planner.strategy import Headers, Site, Target, Usage
from app.planner.traffic import Request

BREAKER_S: Final = 60.0


class NativeSpillover:
    """The PTU is always tried first.

    Azure: spillover how-to, 2026-03. There Azure itself hands over; here a refusal costs what it
    costs a gateway.
    """

    def choose(self, _request: Request, _now: float) -> Target:
        return "ptu"

    def answered(self, _request: Request, _headers: Headers, _now: float) -> None:
        """Nothing is learnt."""

    def completed(self, _request: Request, _usage: Usage, _now: float) -> None:
        """Nothing is learnt."""

    def heard(self, _message: float, _now: float) -> None:
        """Nobody sends anything."""


class RetryAfter:
    """After a 429 the PTU is not asked for as long as it said.

    `shared`: other replicas hold as well, from when they hear of it.
    """

    def __init__(self, site: Site[float], *, shared: bool) -> None:
        self._send = site.send if shared else None
        self._held_until = 0.0

    def choose(self, _request: Request, now: float) -> Target:
        return "paygo" if now < self._held_until else "ptu"

    def answered(self, _request: Request, headers: Headers, now: float) -> None:
        if headers.refused_for is not None:
            self._hold(now + self._length(headers.refused_for))

    def completed(self, _request: Request, _usage: Usage, _now: float) -> None:
        """Only refusals count."""

    def heard(self, message: float, _now: float) -> None:
        """Another replica holds until then."""
        self._held_until = max(self._held_until, message)

    def _hold(self, until: float) -> None:
        # What does not prolong the hold is no news to the others either.
        if until > self._held_until:
            self._held_until = until
            if self._send is not None:
                self._send(until)

    def _length(self, refused_for: float) -> float:
        return refused_for


class FixedBreaker(RetryAfter):
    """After a 429 the PTU is not asked for a minute, whatever the 429 said."""

    def _length(self, _refused_for: float) -> float:
        return BREAKER_S
