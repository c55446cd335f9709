from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.call.tokens import TokenCounter, without_surrogates
from app.wire.answer_edges import AnswerEdges
from app.wire.relayed import RelayedText, tokens_of_body
from app.wire.sse import FrameBuffer
from tests.streams.recordings import RECORDINGS, THROTTLED, Recording, recording

COUNTER: Final = TokenCounter()

#: What each recording says. Their texts are shorter than their usage tells: the numbers are those
#: of other answers, but for the few in `TRUE_TO_USAGE`.
SAID: Final = {
    "chat": "Hello, world.",
    "chat_usage": "Hello again",
    "chat_usage_zero": "Ok",
    "chat_async_filter": "Color is",
    "chat_tools": 'weather{"city":"Oslo"}',
    "chat_spaced": "Hello again",
    "chat_quoting": "The last frame is `data: [DONE]`, before it "
    '`{"usage": {"prompt_tokens": 1}}`, and `"error": {}`\n\ndata: [DONE]\n\n',
    "chat_unicode": "a\u2028b\u2029c\x85 \x0b\x0c\U0001f469\u200d\U0001f4bbe\u0301 \ufeff \u05d0",
    "chat_crlf": "Hello again",
    "chat_cr": "Hello again",
    "chat_comments": "Hello again",
    "chat_multiline": "two lines",
    "chat_error": "Half a sen",
    "chat_error_text": "Half",
    "completions": "Once upon",
    "responses": "Hi there",
    "responses_incomplete": "Hi there",
    "responses_failed": "Hi there",
    "responses_error": "Hi there",
}
TRUE_TO_USAGE: Final = ("chat_async_filter", "chat_multiline", "responses_failed")


def count(text: str) -> int:
    return COUNTER.count(text, "gpt-4o")


def relayed(*blocks: bytes) -> RelayedText:
    text = RelayedText()
    for block in blocks:
        text.add(block)
    return text


def chat(delta: dict[str, Any], **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": None, **more}
    return b"data: " + json.dumps({"choices": [choice], "usage": None}).encode() + b"\n\n"


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


@pytest.mark.parametrize("one", [*RECORDINGS, *THROTTLED], ids=lambda one: one.name)
def test_the_text_of_every_recording_is_found_once(one: Recording) -> None:
    """Frame by frame or all at once: annotations, repetitions, usage and errors are no text."""
    buffer = FrameBuffer()
    said = SAID.get(one.name, "")

    assert relayed(*buffer.feed(one.data), *buffer.last()).text() == said
    assert relayed(one.data).text() == said


@pytest.mark.parametrize("name", TRUE_TO_USAGE)
def test_the_count_is_the_usage_where_that_is_the_texts(name: str) -> None:
    """What a cut stream is charged is what its upstream would have told."""
    one = recording(name)
    assert one.usage is not None
    assert relayed(one.data).tokens(count) == one.usage.output


texts = st.text(max_size=60)


@given(st.lists(texts, max_size=8), st.booleans())
def test_any_text_comes_out_as_it_went_in(pieces: list[str], escaped: bool) -> None:  # noqa: FBT001  # drawn
    """Escaped or not, quotes and backslashes, halves of a pair in two chunks."""
    blocks = [
        b"data: "
        + json.dumps({"choices": [{"delta": {"content": piece}}]}, ensure_ascii=escaped).encode(
            "utf-8", "replace"
        )
        + b"\n\n"
        for piece in pieces
    ]
    expected = "".join(pieces) if escaped else "".join(pieces).encode("utf-8", "replace").decode()
    assert without_surrogates(relayed(*blocks).text()) == without_surrogates(expected)


def test_a_surrogate_pair_may_be_cut_in_two() -> None:
    """Each half is escaped in a chunk of its own; together they are one character."""
    blocks = [
        b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"\\ude00"}}]}\n\n',
    ]
    assert relayed(*blocks).text() == "\U0001f600"


def test_names_of_fields_inside_of_a_text_are_text() -> None:
    """An answer may well be about this very format."""
    said = 'Send {"content":"x", "delta":"y"} and "type":"response.created".'
    assert relayed(chat({"content": said})).text() == said
    opening = event("response.created", response={})
    assert relayed(opening, event("response.output_text.delta", delta=said)).text() == said


def test_calls_refusals_and_shown_reasoning_count() -> None:
    """The model has generated them, too."""
    function = {"index": 0, "id": "call_1", "function": {"name": "f", "arguments": '{"a":'}}
    blocks = [
        chat({"role": "assistant", "content": None, "tool_calls": [function]}),
        chat({"tool_calls": [{"index": 0, "function": {"arguments": '"b"}'}}]}),
        chat({"refusal": "No"}),
        chat({"reasoning_content": "Hm"}),
        chat({"tool_calls": [{"index": 1, "custom": {"name": "g", "input": "1 "}}]}),
        chat({"tool_calls": [{"index": 1, "custom": {"input": "+ 2"}}]}),
    ]
    assert relayed(*blocks).text() == 'f{"a":"b"}NoHmg1 + 2'
    deltas = [
        event("response.created", response={}),
        event("response.function_call_arguments.delta", delta='{"a":1}'),
        event("response.refusal.delta", delta="No"),
    ]
    assert relayed(*deltas).text() == '{"a":1}No'


def test_what_a_response_repeats_counts_once() -> None:
    """Its closing events hold the whole text, call and tools again."""
    blocks = [
        event("response.created", response={"tools": [{"name": "f", "text": "long"}]}),
        event("response.output_text.delta", delta="Hi"),
        event("response.output_text.done", text="Hi"),
        event("response.function_call_arguments.done", arguments="{}", name="f"),
        event("response.completed", response={"output": [{"content": [{"text": "Hi"}]}]}),
    ]
    assert relayed(*blocks).text() == "Hi"


def test_log_probabilities_are_not_text() -> None:
    """They name every token again."""
    logprobs = {"content": [{"token": "Hi", "bytes": [72, 105], "top_logprobs": [{"token": "A"}]}]}
    assert relayed(chat({"content": "Hi"}, logprobs=logprobs)).text() == "Hi"


def test_comments_before_the_stream_decide_nothing() -> None:
    """Which API answers is told by the first event."""
    opening = [b": connected\n\n", b"", event("response.created", response={})]
    assert relayed(*opening, event("response.output_text.delta", delta="Hi")).text() == "Hi"


def test_a_long_answer_is_kept_in_part_and_counted_whole() -> None:
    """Memory is bounded, and the estimate grows with what was relayed."""
    block = chat({"content": " word" * 2000})
    text = RelayedText()
    for _ in range(100):
        text.add(block)

    assert 64 * 1024 <= len(text.text()) <= 64 * 1024 + len(block)
    assert text.tokens(count) == pytest.approx(200_000, rel=0.001)


def test_the_edges_of_a_long_answer_are_told() -> None:
    """With what was not read yet, and after that as well."""
    words = [chat({"content": " word" * 500}) for _ in range(100)]
    reads = [chat({}, finish_reason="first"), *words, chat({}, finish_reason="stop")]
    text = RelayedText(edges=(edges := AnswerEdges()))
    for each in reads:
        text.add(each)
    assert text.unread != reads, "some were read"

    assert edges.facts(*text.unread).finish_reasons == ("stop",)
    assert text.text()
    assert edges.facts().finish_reasons == ("stop",)


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        ({"choices": [{"message": {"content": " one two"}}, {"message": {"content": None}}]}, 2),
        ({"choices": [{"text": " one two"}], "prompt_filter_results": [{"text": "no"}]}, 2),
        ({"choices": [{"message": {"refusal": " no"}}]}, 1),
        (
            {
                "choices": [
                    {"message": {"tool_calls": [{"function": {"name": " f", "arguments": " g"}}]}}
                ]
            },
            2,
        ),
        ({"choices": [{"message": {"function_call": {"name": " f", "arguments": " g"}}}]}, 2),
        (
            {"choices": [{"message": {"tool_calls": [{"custom": {"name": " f", "input": " g"}}]}}]},
            2,
        ),
        ({"output": [{"type": "message", "content": [{"text": " one"}, {"refusal": " no"}]}]}, 2),
        ({"output": [{"type": "function_call", "name": " f", "arguments": " g"}]}, 2),
        ({"output": [{"type": "reasoning", "summary": [{"text": " one"}]}], "tools": ["x"]}, 1),
        ({"object": "list", "data": [{"embedding": [0.1, 0.2]}]}, 0),
        ({"choices": [{}, {"message": {"tool_calls": 7, "content": 8}}], "output": [{}]}, 0),
    ],
)
def test_a_whole_body_is_counted_by_its_text(body: dict[str, Any], tokens: int) -> None:
    """Where the upstream told no usage; an embedding has generated nothing."""
    raw = json.dumps(body).encode()
    answer = RelayedText()
    answer.add_body(raw)
    assert tokens_of_body(raw, count) == tokens
    assert answer.tokens(count) == tokens


@pytest.mark.parametrize("body", [b"plain words", b'{"choices": 7}', b"\xff\xfe", b"["])
def test_a_body_of_an_unknown_shape_is_text(body: bytes) -> None:
    """Too many tokens rather than none."""
    assert tokens_of_body(body, count) == count(body.decode("utf-8", "replace"))


@given(st.binary(max_size=200))
def test_no_bytes_are_too_odd(data: bytes) -> None:
    """Whatever an upstream sends, a receipt is written."""
    assert relayed(b"data:" + data).tokens(count) >= 0
    assert relayed(b'data:{"content":"' + data + b'"}').tokens(count) >= 0
    assert tokens_of_body(data, count) >= 0


def test_a_very_long_body_costs_no_more_than_a_long_stream() -> None:
    """The worst text known takes 0.1 s for what is counted of it."""
    body = json.dumps({"choices": [{"message": {"content": "-" * 4_000_000}}]}).encode()
    counted: list[int] = []

    def counts(text: str) -> int:
        counted.append(len(text))
        return len(text) // 4

    assert tokens_of_body(body, counts) == 1_000_000
    assert counted == [64 * 1024]
