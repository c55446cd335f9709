"""Bodies of answers as upstreams give them, for what keeps and retells them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from app.domain.call.request import Operation

Fields = dict[str, Any]

SAFE: Fields = {
    name: {"filtered": False, "severity": "safe"}
    for name in ("hate", "self_harm", "sexual", "violence")
}
USAGE: Fields = {
    "prompt_tokens": 21,
    "completion_tokens": 9,
    "total_tokens": 30,
    "prompt_tokens_details": {"audio_tokens": None, "cached_tokens": 0},
    "completion_tokens_details": {"audio_tokens": None, "reasoning_tokens": 3},
}
RESPONSE_USAGE: Fields = {
    "input_tokens": 21,
    "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": 0},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 30,
}


def call(name: str = "weather", arguments: str = '{"city":"Oslo"}', number: int = 1) -> Fields:
    """A call of a function."""
    function = {"name": name, "arguments": arguments}
    return {"id": f"call_{number}", "type": "function", "function": function}


def message(content: str | None = "Hello, world.", **more: Any) -> Fields:
    """An assistant's message in a whole body."""
    empty: Fields = {"role": "assistant", "refusal": None, "annotations": []}
    return {**empty, "content": content, **more}


def choice(said: Fields | None = None, finish: str = "stop", **more: Any) -> Fields:
    """The only choice of a chat completion."""
    said = message() if said is None else said
    return {"index": 0, "finish_reason": finish, "logprobs": None, "message": said, **more}


def chat(*choices: Fields, **more: Any) -> Fields:
    """The whole body of a chat completion, by OpenAI."""
    numbered = [{**each, "index": at} for at, each in enumerate(choices or (choice(),))]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1719359351,
        "model": "gpt-4o-2024-08-06",
        "service_tier": "default",
        "system_fingerprint": "fp_abc",
        "choices": numbered,
        "usage": USAGE,
        **more,
    }


def completion(text: str = "Once upon", finish: str = "stop", **more: Any) -> Fields:
    """The whole body of a legacy completion."""
    told = {"index": 0, "finish_reason": finish, "logprobs": None, "text": text, **more}
    named = {"id": "cmpl-1", "object": "text_completion", "created": 1719359351, "model": "m"}
    return {**named, "choices": [told], "usage": USAGE}


def output_text(text: str = "Hello, world.", **more: Any) -> Fields:
    """A part of a response's message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": [], **more}


def response_message(*parts: Fields) -> Fields:
    """A message that a response has given."""
    known = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant"}
    return {**known, "content": list(parts or (output_text(),))}


def function_call(arguments: str = '{"city":"Oslo"}') -> Fields:
    """A call of a function by a response."""
    known = {"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1"}
    return {**known, "name": "weather", "arguments": arguments}


def custom_call(given: str = "SELECT 1") -> Fields:
    """A call of a custom tool by a response."""
    known = {"id": "ctc_1", "type": "custom_tool_call", "status": "completed", "call_id": "call_2"}
    return {**known, "name": "sql", "input": given}


def reasoning(*summaries: str, content: str | None = None) -> Fields:
    """What a response shows of its reasoning."""
    told = [{"type": "summary_text", "text": each} for each in summaries]
    item: Fields = {"id": "rs_1", "type": "reasoning", "summary": told}
    if content is not None:
        item["content"] = [{"type": "reasoning_text", "text": content}]
    return item


def response(*items: Fields, status: str = "completed", **more: Any) -> Fields:
    """The whole body of a response."""
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1719359351,
        "completed_at": 1719359352,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": "gpt-4.1",
        "output": list(items or (response_message(),)),
        "parallel_tool_calls": True,
        "store": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "usage": RESPONSE_USAGE,
        "user": None,
        **more,
    }


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    [
        "👩‍💻 👩🏽‍🚀 🇩🇪🇫🇷",
        "नमस्ते",
        "e\u0301\u0323te",
        "\r\n\r\n",
        '{"a": [1, 2]}',
        "\x01piece\x01",
        "data: [DONE]\n\n",
    ]
)


def token_entries(text: str) -> list[Fields]:
    """Log probabilities of a text whose tokens are its bytes, two by two: some halve characters."""
    data = text.encode()
    cut = [data[at : at + 2] for at in range(0, len(data), 2)]
    return [
        {
            "token": each.decode("utf-8", "backslashreplace"),
            "logprob": -0.5,
            "bytes": list(each),
            "top_logprobs": [],
        }
        for each in cut
    ]


@st.composite
def chat_choices(draw: st.DrawFn) -> Fields:
    """Text, thoughts, a refusal or calls; with filters and log probabilities or without."""
    content = draw(st.none() | texts)
    more: Fields = {}
    if draw(st.booleans()):
        more["reasoning_content"] = draw(texts.filter(bool))
    calls = draw(st.lists(texts, max_size=3))
    if calls:
        more["tool_calls"] = [
            call(f"f{at}", text, at) if at != 1 else _custom(text, at)
            for at, text in enumerate(calls)
        ]
    elif draw(st.booleans()):
        more["function_call"] = {"name": "f", "arguments": draw(texts)}
    refusal = draw(st.none() | texts.filter(bool))
    rest: Fields = {}
    if draw(st.booleans()):
        rest["content_filter_results"] = draw(st.sampled_from([SAFE, {}]))
    if content and draw(st.booleans()):
        rest["logprobs"] = {"content": token_entries(content), "refusal": None}
    finish = draw(st.sampled_from(["stop", "length", "tool_calls"]))
    return choice(message(content, **{**more, "refusal": refusal}), finish, **rest)


def _custom(text: str, number: int) -> Fields:
    return {"id": f"call_{number}", "type": "custom", "custom": {"name": "sql", "input": text}}


@st.composite
def completion_bodies(draw: st.DrawFn) -> Fields:
    """A legacy completion, with log probabilities or without."""
    tokens = draw(st.lists(texts.filter(bool), max_size=4))
    logprobs = {
        "tokens": tokens,
        "token_logprobs": [-0.5] * len(tokens),
        "top_logprobs": draw(st.none() | st.just([{"a": -1.0}] * len(tokens))),
        "text_offset": list(range(len(tokens))),
    }
    return completion("".join(tokens), logprobs=draw(st.none() | st.just(logprobs)))


parts = st.builds(output_text, texts) | st.builds(
    lambda text: {"type": "refusal", "refusal": text}, texts
)
items = (
    st.builds(lambda each: response_message(*each), st.lists(parts, max_size=3))
    | st.builds(function_call, texts)
    | st.builds(custom_call, texts)
    | st.builds(
        lambda each, more: reasoning(*each, content=more), st.lists(texts), st.none() | texts
    )
)

#: An operation, and a whole body of it.
answers = st.one_of(
    st.tuples(
        st.just(Operation.CHAT_COMPLETIONS),
        st.builds(lambda each: chat(*each), st.lists(chat_choices(), min_size=1, max_size=3)),
    ),
    st.tuples(st.just(Operation.COMPLETIONS), completion_bodies()),
    st.tuples(
        st.just(Operation.RESPONSES),
        st.builds(lambda each: response(*each), st.lists(items, max_size=4)),
    ),
)
