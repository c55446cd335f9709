from __future__ import annotations

import json
from typing import Any

from app.domain.call.request import Operation
from app.wire.cache.told import Told
from app.wire.cache.unfold import unfold
from tests.fakes.kept_answers import (
    Fields,
    output_text,
    reasoning,
    response,
    response_message,
)


def told(operation: Operation, body: Fields, *, include_usage: bool = False) -> list[Told]:
    return list(unfold(operation, json.dumps(body).encode(), include_usage=include_usage))


def events(body: Fields) -> list[Any]:
    return [
        json.loads(each.frame.split(b"\ndata: ", 1)[1]) for each in told(Operation.RESPONSES, body)
    ]


def test_a_response_is_told_in_the_order_of_upstreams() -> None:
    """Every item announced empty, told in pieces, and repeated whole."""
    body = response(
        reasoning("Hm."),
        response_message(output_text("Hi there", annotations=[{"type": "of_tomorrow"}])),
    )
    kinds = [event["type"].removeprefix("response.") for event in events(body)]
    assert kinds == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.annotation.added",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    added, part = events(body)[9]["item"], events(body)[10]["part"]
    assert (added["status"], added["content"]) == ("in_progress", [])
    assert (part["text"], part["annotations"], part["logprobs"]) == ("", [], [])
    begun, last = events(body)[0]["response"], events(body)[-1]["response"]
    assert (begun["status"], begun["output"], begun["usage"]) == ("in_progress", [], None)
    assert begun["completed_at"] is None
    assert last == body


def test_names_of_events_are_their_types() -> None:
    """SDKs read either."""
    for each in told(Operation.RESPONSES, response()):
        name, data = each.frame.split(b"\ndata: ", 1)
        assert name == b"event: " + json.loads(data)["type"].encode()
