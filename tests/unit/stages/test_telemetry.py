"""Who is told, and when."""

from __future__ import annotations

import pytest

from app.observation import Observation
from app.stages.telemetry import Telemetry
from tests.fakes.call import FakeCall
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver


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
