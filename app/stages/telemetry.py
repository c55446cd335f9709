"""Whoever watches is told of every request, once, when it is over; some are traced."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

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

    def observed(self, observation: Observation) -> Observed:
        """The scope of a request, in which settlement concludes the observation."""
        tracing, cause = self._tracing, observation.cause
        if tracing is not None:
            wanted = cause is not None and cause.is_sampled
            caller = caller_of(observation.headers)
            observation.trace = tracing.begin(caller, observation.started, wanted=wanted)
            observation.meter.relayed.edges = AnswerEdges()
        return Observed(observation, self._observers, tracing)


class Observed(msgspec.Struct):
    """Tells the observers on the way out."""

    observation: Observation
    observers: Sequence[Observer]
    tracing: Tracing | None

    def __enter__(self) -> None:
        """Nothing more has to begin."""

    def __exit__(self, *_: object) -> None:
        observation, tracing = self.observation, self.tracing
        receipt = observation.receipt
        if tracing is not None and tracing.keeps(receipt):
            receipt = observation.recorded()
            tracing.record(receipt, observation.said(tracing.most_content))
        for observer in self.observers:
            observer.observe(receipt)
