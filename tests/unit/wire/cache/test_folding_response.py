from __future__ import annotations

import json

from app.domain.call.request import Operation
from app.domain.quota.usage import Usage
from app.wire.cache.fold import fold
from app.wire.cache.unkept import Unkept
from tests.fakes.kept_answers import response


def test_a_response_without_usage_gets_the_one_that_is_known() -> None:
    """In its own spelling."""
    event = {"type": "response.completed", "response": response(usage=None)}
    data = b"event: response.completed\ndata: " + json.dumps(event).encode() + b"\n\n"
    body = fold(Operation.RESPONSES, data, usage=Usage(input=7, output=3))
    assert isinstance(body, bytes)
    assert json.loads(body)["usage"]["output_tokens"] == 3
    assert json.loads(body)["output"] == response()["output"]


def test_a_filtered_response_is_not_kept() -> None:
    """It ends as incomplete, and says why."""
    details = {"reason": "content_filter"}
    cut = response(status="incomplete", incomplete_details=details)
    data = b"data: " + json.dumps({"type": "response.incomplete", "response": cut}).encode()
    assert fold(Operation.RESPONSES, data + b"\n\n") is Unkept.FILTERED


def test_an_end_that_lacks_what_was_announced_is_no_answer() -> None:
    """Some upstreams leave the output out of it."""
    added = {"type": "response.output_item.added", "output_index": 0, "item": {}}
    ended = {"type": "response.completed", "response": response(output=[])}
    data = b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in (added, ended))
    assert fold(Operation.RESPONSES, data) is Unkept.UNFOLDABLE


def test_an_error_after_the_end_is_an_error() -> None:
    """Azure sends both, in either order."""
    error = {"type": "error", "error": {"code": "server_error"}}
    ended = {"type": "response.completed", "response": response()}
    data = b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in (ended, error))
    assert fold(Operation.RESPONSES, data) is Unkept.ERROR
