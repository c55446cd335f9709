from __future__ import annotations

from app.wire.cache.told import PLACE, around_place, data_frame, event_frame
from app.wire.events import Kind, read_event
from app.wire.sse import data_of


def test_frames_are_read_as_what_they_were_written_for() -> None:
    """Data alone, and a named event."""
    assert data_of(data_frame({"a": "é\n"})) == '{"a":"é\\n"}'.encode()
    event = event_frame("response.completed", {"type": "response.completed"})
    assert event.startswith(b"event: response.completed\n")
    assert read_event(event).kind is Kind.DONE


def test_a_place_is_where_a_piece_goes() -> None:
    """Quotation marks go with it: the piece is written as JSON."""
    before, after = around_place(data_frame({"a": [PLACE], "b": 1}))
    assert before + b'"x"' + after == data_frame({"a": ["x"], "b": 1})
