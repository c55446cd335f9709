"""What a request says about itself."""

from __future__ import annotations

import pytest

from app.domain.request import (
    INFERENCE,
    STORED_RESPONSE,
    Accounting,
    InferenceRequest,
    Operation,
    Route,
)


def request(
    operation: Operation, *, stream: bool = False, wants_usage: bool = False
) -> InferenceRequest:
    route = Route(operation, "POST", Accounting.TOKENS)
    return InferenceRequest(route, "m", b"{}", stream=stream, wants_usage=wants_usage)


@pytest.mark.parametrize("operation", Operation)
def test_only_streams_with_usage_frames_get_one_added(operation: Operation) -> None:
    """Chat and legacy completions have such frames; the caller's own wish is left alone."""
    has_frames = operation in {Operation.CHAT_COMPLETIONS, Operation.COMPLETIONS}
    assert request(operation, stream=True).adds_usage == has_frames
    assert not request(operation, stream=True, wants_usage=True).adds_usage
    assert not request(operation).adds_usage


def test_the_operation_is_the_routes() -> None:
    """There is one truth about what is asked for."""
    assert request(Operation.EMBEDDINGS).operation is Operation.EMBEDDINGS


def test_no_operation_is_of_two_kinds() -> None:
    """What generates is not what reads back."""
    assert not INFERENCE & STORED_RESPONSE
