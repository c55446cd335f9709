from __future__ import annotations

from typing import Any

import pytest

from app.domain.call.tokens import TokenCounter
from app.simulator.ask import chat_ask, completion_ask, responses_ask
from app.simulator.refusal import Refusal

COUNTER = TokenCounter()
USER = {"role": "user", "content": "hi"}
FUNCTION = {"name": "weather", "parameters": {"type": "object"}}
TOOLS = [{"type": "function", "function": FUNCTION}]


def encode(text: str) -> list[int]:
    return list(COUNTER.encode(text, "gpt-4o"))


def test_a_message_costs_its_tokens_and_the_frame() -> None:
    """Three tokens frame each message and three prime the answer, as OpenAI documents it."""
    ask = chat_ask({"messages": [USER]}, encode)
    assert ask.prompt_tokens == 3 + len(encode("user")) + len(encode("hi")) + 3


def test_an_image_costs_a_fixed_price() -> None:
    """Images are counted, never fetched."""
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    low = {"type": "image_url", "image_url": {"url": "data:,", "detail": "low"}}

    def cost(*parts: object) -> int:
        return chat_ask(
            {"messages": [{"role": "user", "content": list(parts)}]}, encode
        ).prompt_tokens

    assert cost(image) - cost() == 765
    assert cost(low) - cost() == 85


def test_custom_tools_are_taken_and_not_called() -> None:
    """Beside functions, too, whose place is told where one has no name."""
    custom = {"type": "custom", "custom": {"name": "calculate"}}
    asked = {"messages": [USER], "tools": [custom], "tool_choice": "required"}
    assert chat_ask(asked, encode).call is None
    call = chat_ask({**asked, "tools": [custom, *TOOLS]}, encode).call
    assert call is not None
    assert call.name == "weather"
    with pytest.raises(Refusal) as caught:
        chat_ask({**asked, "tools": [custom, {"type": "function", "function": {}}]}, encode)
    assert caught.value.body["error"]["param"] == "tools[1].function.name"
    with pytest.raises(Refusal) as caught:
        responses_ask({"input": "hi", "tools": [{"type": "function"}]}, encode)
    assert caught.value.body["error"]["param"] == "tools[0].name"


def test_the_newer_name_of_the_cap_wins() -> None:
    """`max_completion_tokens` replaces `max_tokens`."""
    body = {"messages": [USER], "max_tokens": 5, "max_completion_tokens": 9}
    assert chat_ask(body, encode).cap == 9


@pytest.mark.parametrize(
    ("choice", "content", "called"),
    [
        ("required", "hi", True),
        ({"type": "function", "function": {"name": "weather"}}, "hi", True),
        ("auto", "hi", False),
        (None, "please [[tool]]", True),
        ("none", "please [[tool]]", False),
    ],
)
def test_when_a_tool_is_called(choice: object, content: str, *, called: bool) -> None:
    """A tool is called when that is required or the prompt's marker asks for it."""
    body = {
        "messages": [{"role": "user", "content": content}],
        "tools": TOOLS,
        "tool_choice": choice,
    }
    assert (chat_ask(body, encode).call is not None) == called


def test_a_tool_result_ends_the_loop() -> None:
    """After a result the marker, still in the conversation, asks for nothing more."""
    messages = [
        {"role": "user", "content": "[[tool]]"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1"}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]
    assert chat_ask({"messages": messages, "tools": TOOLS}, encode).call is None


def test_legacy_prompts_come_in_four_shapes() -> None:
    """A text, tokens, or a list of either; 16 tokens are generated unless told otherwise."""
    assert len(completion_ask({"prompt": "a"}, encode).prompts) == 1
    assert len(completion_ask({"prompt": ["a", "b"]}, encode).prompts) == 2
    assert completion_ask({"prompt": [1, 2, 3]}, encode).prompt_tokens == 3
    assert completion_ask({"prompt": [[1, 2], [3]], "best_of": 3}, encode).generations == 6
    assert completion_ask({"prompt": "a"}, encode).cap == 16


def test_a_response_reads_what_came_before() -> None:
    """The conversation that a response continues is part of its prompt."""
    alone = responses_ask({"input": "hi"}, encode).prompt_tokens
    assert responses_ask({"input": "hi"}, encode, before=[1, 2, 3]).prompt_tokens == alone + 3


def test_text_and_message_are_the_same_input() -> None:
    """A response's `input` may be a text or the message that it stands for."""
    message = {"role": "user", "content": [{"type": "input_text", "text": "hi"}]}
    assert (
        responses_ask({"input": [message]}, encode).prompts
        == responses_ask({"input": "hi"}, encode).prompts
    )


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [USER], "max_tokens": 0}, "max_tokens"),
        ({"messages": [USER], "max_tokens": "9"}, "max_tokens"),
        ({"messages": [USER], "n": True}, "n"),
        ({"messages": [USER], "tools": "all"}, "tools"),
        ({"messages": [{"role": "user", "content": [1]}]}, "content"),
        ({"messages": [{"role": ["user"], "content": "hi"}]}, "role"),
        ({"messages": [USER], "stop": 1}, "stop"),
    ],
)
def test_a_wrong_body_is_a_400_that_names_the_parameter(body: dict[str, Any], param: str) -> None:
    """Whoever sent it learns which field to look at."""
    with pytest.raises(Refusal) as refused:
        chat_ask(body, encode)

    assert refused.value.status == 400
    assert refused.value.body["error"]["param"] == param


@pytest.mark.parametrize("prompt", [[2**63], [-1], ["a", [2**63]]])
def test_what_no_vocabulary_has_is_no_token(prompt: object) -> None:
    """It would not fit into what answers are drawn from."""
    with pytest.raises(Refusal) as refused:
        completion_ask({"prompt": prompt}, encode)

    assert refused.value.body["error"]["param"] == "prompt"


def test_unknown_fields_are_accepted() -> None:
    """New parameters of the SDKs are none of the simulator's business."""
    assert chat_ask({"messages": [USER], "frobnicate": 1}, encode).cap is None
    assert chat_ask({"messages": [USER], "reasoning_effort": ["none"]}, encode).reasons


@pytest.mark.parametrize("name", ["n", "best_of"])
def test_more_choices_than_openai_gives_are_refused(name: str) -> None:
    """A billion of them would take all memory there is."""
    body = {"prompt": "hi", name: 129}
    with pytest.raises(Refusal):
        completion_ask(body, encode)
    completion_ask(body | {name: 128}, encode)
