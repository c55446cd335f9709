from __future__ import annotations

import json
from typing import Any

import pytest

from app.domain.call.request import Operation
from app.domain.quota.usage import Usage
from app.wire.cache.fold import Folder, fold
from app.wire.cache.unkept import Unkept
from tests.streams.recordings import recording

CHAT = Operation.CHAT_COMPLETIONS
DONE = b"data: [DONE]\n\n"
END: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": "stop"}


def frame(**chunk: Any) -> bytes:
    named = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps(named | chunk).encode() + b"\n\n"


def delta(index: int = 0, **said: Any) -> bytes:
    return frame(choices=[{"index": index, "delta": said, "finish_reason": None}])


def test_a_stream_that_told_its_usage_keeps_it() -> None:
    """Zero included: the upstream's own counts stand."""
    for name, counted in (("chat_usage", 1566), ("chat_usage_zero", 0)):
        body = fold(CHAT, recording(name).data, usage=Usage(input=7))
        assert isinstance(body, bytes)
        assert json.loads(body)["usage"]["prompt_tokens"] == counted


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (b"", Unkept.UNFINISHED),
        (DONE, Unkept.UNFINISHED),
        (delta(content="x") + DONE, Unkept.UNFINISHED),
        (frame(choices=[END]), Unkept.UNFINISHED),
        (frame(choices=[END]) + delta(1, content="x") + DONE, Unkept.UNFINISHED),
        (b"data: {\n\n" + DONE, Unkept.UNREADABLE),
        (b"data: 1\n\n" + DONE, Unkept.UNREADABLE),
        (frame(choices=[{"delta": {}}]) + DONE, Unkept.UNREADABLE),
        (frame(choices=[END], error={"code": "x"}) + DONE, Unkept.ERROR),
        (frame(choices=[{**END, "finish_reason": "content_filter"}]) + DONE, Unkept.FILTERED),
        (
            frame(choices=[{**END, "content_filter_results": {"hate": {"filtered": True}}}]) + DONE,
            Unkept.FILTERED,
        ),
    ],
)
def test_what_is_not_whole_is_not_kept(stream: bytes, reason: Unkept) -> None:
    """And says why."""
    assert fold(CHAT, stream) is reason


def test_a_folder_knows_early_that_nothing_will_come_of_it() -> None:
    """So that nothing more is collected."""
    folder = Folder(CHAT)
    folder.add(recording("chat_error").data)
    assert folder.unkept is Unkept.ERROR
    folder.add(frame(choices=[END]) + DONE)
    assert folder.body() is Unkept.ERROR
