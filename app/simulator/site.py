"""One simulated deployment at work: its capacity, its memory and its author."""

from __future__ import annotations

import time
from collections.abc import Sequence

from app.domain.call.tokens import TokenCounter
from app.simulator.answer import Author
from app.simulator.deployment import SimulatedDeployment
from app.simulator.meter import meter_for
from app.simulator.prompt_cache import PromptCache
from app.simulator.responses_store import ResponsesStore


class Site:
    """Everything of one deployment that lasts longer than a request."""

    def __init__(self, deployment: SimulatedDeployment, counter: TokenCounter, seed: int) -> None:
        self.deployment = deployment
        self.author = Author(deployment.model, self._pieces, seed)
        self._counter = counter
        self.empty()

    def empty(self) -> None:
        """Forget what was used, cached and stored."""
        self.meter = meter_for(self.deployment, self.now())
        self.cache = PromptCache()
        self.responses = ResponsesStore()

    @staticmethod
    def now() -> float:
        """Seconds of a clock that never runs backwards."""
        return time.monotonic()

    def encode(self, text: str) -> Sequence[int]:
        return self._counter.encode(text, self.deployment.model)

    def utilization(self) -> float:
        return self.meter.utilization(self.now())

    def _pieces(self, text: str) -> list[str]:
        return self._counter.pieces(text, self.deployment.model)
