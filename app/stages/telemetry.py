"""Whoever watches is told of every request, once, when it is over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from app.observation import Observation
from app.ports import Observer


class Telemetry:
    """Passes receipts to the observers: the log, the metrics."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        """Observers neither block nor raise."""
        self._observers = observers

    @contextmanager
    def observed(self, observation: Observation) -> Iterator[None]:
        """Tell the observers on the way out; settlement has concluded the observation by then."""
        try:
            yield
        finally:
            for observer in self._observers:
                observer.observe(observation.receipt)
