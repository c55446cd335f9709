"""What an answer says about itself, in its forms."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.tracing.said import AnswerFacts
from app.wire.answer_edges import AnswerEdges
from tests.streams.recordings import recording

CHUNK = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "gpt-4o-2024-11-20"}
FACTS = AnswerFacts("chatcmpl-1", "gpt-4o-2024-11-20", ("stop",))


def frame(*choices: Any, **more: Any) -> bytes:
    return b"data: " + json.dumps({**CHUNK, "choices": choices, **more}).encode() + b"\n\n"


def saying(text: str) -> bytes:
    return frame({"index": 0, "delta": {"content": text}, "finish_reason": None})


END = frame({"index": 0, "delta": {}, "finish_reason": "stop"})


def facts_of(*reads: bytes) -> AnswerFacts:
    edges = AnswerEdges()
    for each in reads:
        edges.add(each)
    return edges.facts()


def test_a_stream_tells_at_its_edges() -> None:
    """However many reads are between, and whatever comes after the reason."""
    usage = frame(usage={"prompt_tokens": 1})
    done = b"data: [DONE]\n\n"
    assert facts_of(saying("a"), *[saying("b")] * 50, END, usage, done) == FACTS
    assert facts_of(saying("a") + END + usage + done) == FACTS


@given(st.integers(0, 9), st.integers(0, 9))
def test_reads_may_come_later_and_several_at_a_time(before: int, later: int) -> None:
    """What is told is that of reads one by one; asking keeps nothing."""
    reads = [frame({"index": n, "finish_reason": f"r{n}"}) for n in range(before + later)]
    edges = AnswerEdges()
    edges.add(*reads[:before])
    assert edges.facts(*reads[before:]) == edges.facts(*reads[before:]) == facts_of(*reads)


def test_azures_first_frame_names_nothing() -> None:
    """Its empty strings are passed over for what the next one says."""
    nobody = b'data: {"choices":[],"id":"","model":"","prompt_filter_results":[]}\n\n'
    assert facts_of(nobody + saying("a"), END) == FACTS


def test_several_choices_have_a_reason_each() -> None:
    """In the order of the choices, not in that of their ends."""
    late = [
        frame({"index": n, "delta": {}, "finish_reason": r})
        for n, r in ((1, "length"), (0, "stop"))
    ]
    assert facts_of(saying("a"), *late).finish_reasons == ("stop", "length")


def test_a_whole_body() -> None:
    """The same members, wherever they stand."""
    edges = AnswerEdges()
    message = {"role": "assistant", "content": "x" * 10_000}
    body = {"choices": [{"index": 0, "finish_reason": "stop", "message": message}], **CHUNK}
    edges.body = json.dumps(body).encode()
    assert edges.facts() == FACTS


def test_a_response_is_inside_of_its_events() -> None:
    """Of the Responses API, which has no reason of this kind."""
    response = {"id": "resp_1", "model": "gpt-4o", "metadata": {"model": "a secret"}}
    event = {"type": "response.created", "response": response}
    said = b"event: response.created\ndata: " + json.dumps(event).encode() + b"\n\n"
    assert facts_of(said) == AnswerFacts("resp_1", "gpt-4o")


def test_a_recorded_stream() -> None:
    """As Azure sent it."""
    facts = facts_of(recording("chat_usage").data)
    assert facts.id.startswith("chatcmpl")
    assert facts.finish_reasons == ("stop",)


@pytest.mark.parametrize(
    "words", ["my name is Ann", "ann@example.com", "a" * 129, "", "a\nb", "ключ", "\ud800"]
)
def test_what_is_more_than_a_word_is_left_out(words: str) -> None:
    """Of an upstream that echoes, in a stream and in a whole body."""
    choice = {"index": 0, "delta": {}, "finish_reason": words}
    echo = frame(choice, id=words, model=words)
    assert facts_of(echo) == AnswerFacts()
    assert facts_of(echo, saying("a"), END) == FACTS, "another chunk may say it"
    edges = AnswerEdges()
    edges.body = json.dumps({"id": words, "model": words, "choices": [choice]}).encode()
    assert edges.facts() == AnswerFacts()


def test_ids_may_be_longer_than_codes() -> None:
    """Those of the Responses API are."""
    found = facts_of(frame(id=f"resp_{'0a' * 48}", model="ft:gpt-4o-mini:org/team::Ab_1"))
    assert found == AnswerFacts(f"resp_{'0a' * 48}", "ft:gpt-4o-mini:org/team::Ab_1")


@given(st.text(max_size=300))
def test_what_a_model_writes_is_no_member(text: str) -> None:
    """Though it writes JSON, and what looks like frames."""
    for said in (text, f'","model":"{text}","finish_reason":"{text}"', f"\n\ndata: {text}\n\n"):
        assert facts_of(saying(said), saying(said), END) == FACTS


@given(st.binary(max_size=300))
def test_what_cannot_be_read_tells_nothing(data: bytes) -> None:
    """And fails nothing."""
    facts_of(data)
    edges = AnswerEdges()
    edges.body = data
    assert isinstance(edges.facts(), AnswerFacts)
