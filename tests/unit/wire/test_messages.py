"""Prompts and answers in OpenTelemetry's form."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.domain.call.request import Accounting, InferenceRequest, Operation, Route
from app.domain.tracing.said import Content
from app.wire.answer_edges import AnswerEdges
from app.wire.messages import content_of
from app.wire.relayed import RelayedText

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["role", "content", "type", "text", "tool_calls", "function", "input",
                         "messages", "output", "choices", "message", "id", "arguments"]),
        inner, max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


def content(
    body: Any,
    answer: Any = None,
    *,
    operation: Operation = Operation.CHAT_COMPLETIONS,
    stream: bytes = b"",
    most: int = 1000,
) -> Content:
    route = Route(operation, "POST", Accounting.TOKENS)
    request = InferenceRequest(route, "gpt-4o", json.dumps(body).encode())
    edges, relayed = AnswerEdges(), RelayedText()
    edges.body = json.dumps(answer).encode() if answer is not None else b""
    if stream:
        edges.add(stream)
        relayed.add(stream)
    return content_of(request, edges, relayed, most)


def text(said: str) -> dict[str, str]:
    return {"type": "text", "content": said}


def test_a_chat() -> None:
    """Roles, parts, calls of tools and what they gave; of an image only that there was one."""
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": [{"type": "text", "text": "What is it?"}, picture]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "a cat"},
    ]
    answer = {
        "choices": [
            {"finish_reason": "stop", "message": {"role": "assistant", "content": "A cat."}}
        ]
    }
    told = content({"messages": messages}, answer)
    assert json.loads(told.input) == [
        {"role": "system", "parts": [text("Be short.")]},
        {"role": "user", "parts": [text("What is it?"), {"type": "image_url"}]},
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "call_1", "name": "f", "arguments": "{}"}],
        },
        {
            "role": "tool",
            "parts": [{"type": "tool_call_response", "id": "call_1", "response": "a cat"}],
        },
    ]
    assert json.loads(told.output) == [
        {"role": "assistant", "parts": [text("A cat.")], "finish_reason": "stop"}
    ]


def test_a_stream_is_told_as_its_text() -> None:
    """As it was relayed."""
    chunks = [
        {"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]}
        for word in ("A ", "c\u00e4t.")
    ]
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    stream = b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in [*chunks, end])
    told = content({"messages": []}, stream=stream)
    assert json.loads(told.output) == [
        {"role": "assistant", "parts": [text("A c\u00e4t.")], "finish_reason": "stop"}
    ]


def test_a_response() -> None:
    """Instructions, input and output items of the Responses API."""
    body = {
        "instructions": "Be short.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "1"},
        ],
    }
    said = {"type": "output_text", "text": "Hello."}
    answer = {"output": [{"type": "message", "role": "assistant", "content": [said]}]}
    told = content(body, answer, operation=Operation.RESPONSES)
    assert [each["role"] for each in json.loads(told.input)] == [
        "system", "user", "assistant", "tool",
    ]  # fmt: skip
    assert json.loads(told.output) == [{"role": "assistant", "parts": [text("Hello.")]}]
    assert json.loads(content({"input": "Hi"}, operation=Operation.RESPONSES).input) == [
        {"role": "user", "parts": [text("Hi")]}
    ]


def test_completions_and_embeddings() -> None:
    """Texts, one or more; tokens are not told."""
    told = content({"prompt": ["a", "b"]}, operation=Operation.COMPLETIONS)
    assert [each["parts"] for each in json.loads(told.input)] == [[text("a")], [text("b")]]
    assert content({"input": [1, 2, 3]}, operation=Operation.EMBEDDINGS) == Content()


def test_the_latest_messages_are_kept() -> None:
    """As far as there is room; what was cut is marked."""
    messages = [{"role": "user", "content": f"{number} " + "word " * 20} for number in range(10)]
    kept = json.loads(content({"messages": messages}, most=150).input)
    assert [each["parts"][0]["content"][0] for each in kept] == ["8", "9"]
    assert kept[0]["parts"][0]["content"].endswith("…")
    assert sum(len(each["parts"][0]["content"]) for each in kept) <= 150


def test_everything_is_redacted() -> None:
    """Arguments and results of tools, too."""
    secret = "jane@mail.example"
    call = {"id": "1", "function": {"name": "f", "arguments": json.dumps({"to": secret})}}
    messages = [
        {"role": "user", "content": f"Write to {secret}"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": secret}]},
    ]
    answer = {"choices": [{"message": {"role": "assistant", "content": f"Sent to {secret}."}}]}
    told = content({"messages": messages}, answer)
    assert secret not in told.input + told.output
    assert (told.input + told.output).count("[email]") == 4


@given(JSON, JSON, st.sampled_from(Operation), st.integers(1, 200))
def test_any_json_is_told_or_left_out(
    body: Any, answer: Any, operation: Operation, most: int
) -> None:
    """Whatever a caller sends or an upstream answers: nothing is raised, and all is UTF-8."""
    told = content(body, answer, operation=operation, most=most)
    for each in (told.input, told.output):
        assert each == "" or isinstance(json.loads(each), list)
        each.encode()
