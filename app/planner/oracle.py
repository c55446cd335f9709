"""The bound of what is possible: a router that knows the true bucket, without any delay."""

from __future__ import annotations

from app.planner.baselines import NativeSpillover
from app.planner.strategy import Site, Target
from app.planner.traffic import Request


class Oracle(NativeSpillover):
    """Asks the PTU exactly when it is going to admit. It needs a network that takes no time."""

    def __init__(self, site: Site[float]) -> None:
        self._would_admit = site.would_admit

    def choose(self, _request: Request, _now: float) -> Target:
        return "ptu" if self._would_admit() else "paygo"
