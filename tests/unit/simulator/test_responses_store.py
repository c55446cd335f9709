"""A response that runs in the background, looked at over time."""

from __future__ import annotations

from app.simulator.answer import Answer
from app.simulator.envelope import Envelope
from app.simulator.response_bodies import ModelResponse
from app.simulator.responses_store import StoredResponse

READY_AT = 2.0


def running() -> StoredResponse:
    answer = Answer(["Hello"], reasoning=0, finish="stop")
    response = ModelResponse(Envelope("resp_1", 0, "gpt-4o", on_azure=True), {}, answer, None)
    return StoredResponse(response, [], [], began_at=1.0, ready_at=READY_AT, in_background=True)


def test_it_is_made_in_its_time() -> None:
    """It is in progress until then."""
    statuses = [running().body(now)["status"] for now in (0.0, 1.9, READY_AT)]
    assert statuses == ["in_progress", "in_progress", "completed"]


def test_what_was_cancelled_stays_so() -> None:
    """Although somebody cancels it again when it would have ended."""
    stored = running()
    for now in (1.5, READY_AT + 1):
        stored.cancel(now)
        assert stored.body(now)["status"] == "cancelled"
        assert stored.cancelled_at == 1.5


def test_what_has_ended_is_not_cancelled() -> None:
    """It is as it was."""
    stored = running()
    stored.cancel(READY_AT)
    assert stored.body(READY_AT)["status"] == "completed"
