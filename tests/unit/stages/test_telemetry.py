"""Who is told, and when."""

from __future__ import annotations

import pytest

from app.domain.ledger.completion import Receipt
from app.domain.tracing.sampling import SamplingPolicy
from app.observation import Observation
from app.stages.telemetry import Telemetry
from tests.fakes.call import FakeCall
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver
from tests.fakes.tracing import FakeTracing


def test_every_observer_is_told_once_at_the_end() -> None:
    """All see the same receipt, and none sees it early."""
    observation = Observation(FakeCall(), FakeClock())
    log, metrics = RecordingObserver(), RecordingObserver()
    with Telemetry([log, metrics]).observed(observation):
        observation.conclude(200, None)
        assert log.receipts == []
    assert log.receipts == metrics.receipts == [observation.receipt]


def test_a_request_that_fails_is_told_too() -> None:
    """And the failure goes on to whoever renders it."""
    observation = Observation(FakeCall(), FakeClock())
    log = RecordingObserver()

    def fail() -> None:
        with Telemetry([log]).observed(observation):
            observation.conclude(None, KeyError())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert log.receipts == [observation.receipt]


EVERY, NO = SamplingPolicy(ratio=1.0), SamplingPolicy(ratio=0.0)
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def observed(policy: SamplingPolicy, call: FakeCall, status: int = 200) -> Receipt:
    observation, log = Observation(call, FakeClock()), RecordingObserver()
    tracing = FakeTracing(policy)
    with Telemetry([log], tracing).observed(observation):
        observation.conclude(status, None)
    (receipt,) = log.receipts
    assert [each for each, _ in tracing.recorded] == ([receipt] if receipt.trace_id else [])
    return receipt


def test_a_trace_is_named_where_the_request_is_recorded_in_it() -> None:
    """So that whoever looks for it finds it; every request has a context all the same."""
    recorded, other = observed(EVERY, FakeCall()), observed(NO, FakeCall())
    assert recorded.trace is not None
    assert recorded.trace_id == recorded.trace.trace_id
    assert other.trace is not None
    assert other.trace_id is None


def test_how_a_request_ended_may_be_why_it_is_traced() -> None:
    """Decided when it is over, before anybody is told."""
    assert observed(NO, FakeCall(), status=500).trace_id is not None


def test_a_request_goes_on_with_its_callers_trace() -> None:
    """As far as its headers name one."""
    receipt = observed(NO, FakeCall(headers={"traceparent": TRACEPARENT}))
    assert receipt.trace is not None
    assert receipt.trace.trace_id == TRACEPARENT[3:35]


def test_without_tracing_there_is_no_context() -> None:
    """Nothing is spent on it."""
    observation, log = Observation(FakeCall(), FakeClock()), RecordingObserver()
    with Telemetry([log]).observed(observation):
        observation.conclude(500, None)
    (receipt,) = log.receipts
    assert (receipt.trace, receipt.trace_id) == (None, None)
