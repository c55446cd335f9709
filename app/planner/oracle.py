"""The bounds of what is possible: routers that know what Azure alone can know."""

from __future__ import annotations

from typing import NamedTuple

from app.planner.baselines import NativeSpillover
from app.planner.strategy import Headers, Site, Target, Usage
from app.planner.traffic import Request


class Oracle(NativeSpillover):
    """Asks the PTU exactly when it is going to admit. It needs a network that takes no time."""

    def __init__(self, site: Site[float]) -> None:
        self._truth = site.truth

    def choose(self, _request: Request, _now: float) -> Target:
        return "ptu" if self._truth.over() <= 0 else "paygo"


class Seen(NamedTuple):
    """So much over full, at a time; or so much more."""

    over: float
    at: float
    is_all: bool


class OracleAtAnswers:
    """Sees the true bucket whenever the PTU answers it, and knows exactly what it sends itself.

    What it does not see is traffic past the gateway since the last answer, for which it keeps
    `margin_s` seconds of capacity free.
    """

    def __init__(self, site: Site[Seen], *, margin_s: float = 0.0) -> None:
        self._site = site
        self._margin_s = margin_s
        self._over = -site.truth.depth_s
        self._at = 0.0

    def choose(self, request: Request, now: float) -> Target:
        if self._drained(now) + self._margin_s > 0:
            return "paygo"
        self._tell(Seen(self._site.truth.adds(request), now, is_all=False))
        return "ptu"

    def answered(self, _request: Request, _headers: Headers, now: float) -> None:
        self._tell(Seen(self._site.truth.over(), now, is_all=True))

    def completed(self, _request: Request, usage: Usage, now: float) -> None:
        if usage.target == "ptu":
            self._tell(Seen(self._site.truth.over(), now, is_all=True))

    def heard(self, message: Seen, _now: float) -> None:
        before = 0.0 if message.is_all else self._drained(message.at)
        self._over, self._at = before + message.over, message.at

    def _drained(self, now: float) -> float:
        return max(-self._site.truth.depth_s, self._over - (now - self._at))

    def _tell(self, seen: Seen) -> None:
        self.heard(seen, seen.at)
        self._site.send(seen)
