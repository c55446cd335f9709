from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.sse import StreamReader, Times


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def word(text: str) -> bytes:
    return event(choices=[{"index": 0, "delta": {"content": text}}])


ROLE = event(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}}])
STOP = event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
USAGE = event(choices=[], usage={"prompt_tokens": 9, "completion_tokens": 5})
DONE = b"data: [DONE]\n\n"
PING = b": ping\n\n"


def read(*parts: tuple[float, bytes]) -> StreamReader:
    reader = StreamReader(asked=10.0)
    for at, data in parts:
        reader.feed(data, at)
    return reader


def test_times_are_of_content() -> None:
    """Neither the role nor a comment is a first token, nor the usage a last one."""
    reader = read(
        (11, ROLE), (12, PING), (13, word("a")), (17, word("b") + STOP), (19, USAGE + DONE)
    )
    assert reader.times() == Times(ttft_s=3, latency_s=9, output_tokens=5, tpot_s=1)


@given(st.lists(st.integers(1, 200), max_size=12))
def test_it_does_not_matter_how_the_bytes_were_cut(cuts: list[int]) -> None:
    """Networks cut anywhere, lines of CRLF included."""
    whole = (ROLE + PING + word("é") + word("b") + STOP + USAGE + DONE).replace(b"\n", b"\r\n")
    reader, start = StreamReader(asked=0.0), 0
    for cut in (*cuts, len(whole)):
        reader.feed(whole[start : start + cut], 1.0)
        start += cut
    assert reader.times() == Times(1.0, 1.0, 5, 0.0)


def test_without_a_usage_chunks_are_counted() -> None:
    """Servers may not know `include_usage`."""
    times = read((11, word("a")), (12, word("b")), (13, word("c") + DONE)).times()
    assert times is not None
    assert (times.output_tokens, times.tpot_s) == (3, 1)


def test_reasoning_is_before_the_first_token() -> None:
    """It is in no gap between those that are seen."""
    details = {"completion_tokens": 103, "completion_tokens_details": {"reasoning_tokens": 100}}
    usage = event(choices=[], usage=details)
    times = read((11, word("a")), (13, word("b")), (14, usage + DONE)).times()
    assert times is not None
    assert times.tpot_s == 1


def test_a_tool_call_is_content() -> None:
    """An agent waits for it as others do for words."""
    call = event(choices=[{"delta": {"tool_calls": [{"index": 0}]}}])
    times = read((12, call), (13, DONE)).times()
    assert times is not None
    assert times.ttft_s == 2


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([word("a")], "the stream ended before its answer did"),
        ([DONE], "the stream ended before its answer did"),
        ([word("a"), event(error={"code": "server_error"}), DONE], "server_error"),
        ([event(error={"message": "no"})], "no"),
        ([b"data: {oops\n\n", DONE], "an event is not JSON"),
    ],
)
def test_what_is_no_whole_answer_has_no_times(parts: list[bytes], said: str) -> None:
    """And says why."""
    reader = read(*((11.0, part) for part in parts))
    assert reader.times() is None
    assert reader.error == said
