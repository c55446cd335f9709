"""Whoever watches is told of every request, once, when it is over; some are traced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from app.observation import Observation
from app.ports import Observer, Tracing
from app.wire.answer_edges import AnswerEdges
from app.wire.trace_context import caller_of


class Telemetry:
    """Passes receipts to the observers: the log, the metrics. Spans have a way of their own."""

    def __init__(self, observers: Sequence[Observer], tracing: Tracing | None = None) -> None:
        """Observers neither block nor raise; without `tracing` nothing is traced."""
        self._observers = observers
        self._tracing = tracing

    @contextmanager
    def observed(self, observation: Observation) -> Iterator[None]:
        """Tell the observers on the way out; settlement has concluded the observation by then."""
        tracing = self._tracing
        if tracing is not None:
            caller = caller_of(observation.headers)
            cause = observation.cause
            wanted = cause is not None and cause.is_sampled
            observation.trace = tracing.begin(caller, observation.started, wanted=wanted)
            observation.meter.edges = AnswerEdges()
        try:
            yield
        finally:
            receipt = observation.receipt
            if tracing is not None and tracing.keeps(receipt):
                receipt = observation.recorded()
                tracing.record(receipt, observation.said(tracing.most_content))
            for observer in self._observers:
                observer.observe(receipt)
