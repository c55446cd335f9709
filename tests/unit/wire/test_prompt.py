"""What each API's body gives the model to read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.call.image import Image
from app.domain.call.prompt import Prompt
from app.domain.call.request import InferenceRequest
from app.wire.prompt import read_prompt
from app.wire.routes import match

PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAUCAYAAAC07w7bAAAAC0lEQVR42mNgGAWkAgABNAABKQLrqQAAAABJRU5ErkJggg=="
)


def prompt_of(path: str, **body: Any) -> Prompt:
    """The prompt in this body."""
    return read_prompt(InferenceRequest(match("POST", path, ""), "m", json.dumps(body).encode()))


def test_chat_messages() -> None:
    """Every value counts, names are known as such."""
    said = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi", "name": "Al"},
    ]
    prompt = prompt_of("/v1/chat/completions", messages=said)
    assert prompt.texts == ("system", "Be brief.", "user", "Hi", "Al")
    assert (prompt.messages, prompt.names) == (2, 1)


def test_parts_images_and_tools() -> None:
    """Texts of parts, sizes of images, definitions as they are written."""
    parts = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": PIXEL}},
        {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA"}},
    ]
    prompt = prompt_of(
        "/v1/chat/completions", messages=[{"role": "user", "content": parts}], tools=[{"a": 1}]
    )
    assert prompt.texts == ("user", "What is it?", '[{"a":1}]')
    assert prompt.images == (Image(10, 20, "auto"), Image(detail="low"))
    assert prompt.files == 1


def test_a_response() -> None:
    """Instructions, items, results of tools; a plain text is one message."""
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"type": "function_call_output", "call_id": "c", "output": "42"},
        {"type": "input_image_holder", "content": [{"type": "input_image", "image_url": PIXEL}]},
    ]
    prompt = prompt_of("/v1/responses", input=items, instructions="Be brief.")
    assert {"Be brief.", "Hi", "42"} <= set(prompt.texts)
    assert (prompt.messages, prompt.images) == (4, (Image(10, 20),))
    assert prompt_of("/v1/responses", input="Hi").texts == ("user", "Hi")


@pytest.mark.parametrize("other", [None, [], [{"role": "user", "content": "Hi"}]])
def test_what_another_api_reads_hides_nothing(other: object) -> None:
    """A member of chats leaves a response's input counted, and the other way round."""
    said = [{"role": "user", "content": "A long text"}]
    response = prompt_of("/v1/responses", messages=other, input=said)
    assert response == prompt_of("/v1/responses", input=said)
    chat = prompt_of("/v1/chat/completions", messages=said, input=other, tools=[])
    assert chat == prompt_of("/v1/chat/completions", messages=said)


def test_what_an_answer_gave_is_sent_back() -> None:
    """Ids are not read; what is encrypted, and pictures, are no text."""
    items = [
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hi"}],
        },
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "A" * 400},
        {"type": "image_generation_call", "id": "ig_1", "result": PIXEL.split(",")[1]},
        {
            "type": "computer_call_output",
            "call_id": "c",
            "output": {"type": "computer_screenshot", "image_url": PIXEL},
        },
    ]
    prompt = prompt_of("/v1/responses", input=items)
    said = {"message", "assistant", "Hi", "reasoning", "image_generation_call"}
    assert set(prompt.texts) == said | {"computer_call_output", "c"}
    assert (prompt.tokens, prompt.images) == (100, (Image(10, 20), Image(10, 20)))


def test_what_else_a_model_is_shown() -> None:
    """A schema, a prediction, a suffix, the values of a stored prompt."""
    chat = prompt_of("/v1/chat/completions", messages=[], prediction={"content": "So"})
    assert chat.texts == ('{"content":"So"}',)
    assert prompt_of("/v1/completions", prompt="a", suffix="b").texts == ("a", "b")
    response = prompt_of("/v1/responses", input=[], prompt={"v": 1}, text={"format": {"s": 2}})
    assert set(response.texts) == {'{"v":1}', '{"format":{"s":2}}'}


@pytest.mark.parametrize(
    ("given", "texts", "tokens"),
    [
        ("once", ("once",), 0),
        (["a", "b"], ("a", "b"), 0),
        ([1, 2, 3], (), 3),
        ([[1, 2], [3]], (), 3),
        (None, (), 0),
        ({"odd": 1}, ('{"odd":1}',), 0),
    ],
)
def test_texts_and_token_ids(given: object, texts: tuple[str, ...], tokens: int) -> None:
    """Completions and embeddings take either."""
    for path, name in (("/v1/embeddings", "input"), ("/v1/completions", "prompt")):
        prompt = prompt_of(path, **{name: given})
        assert (prompt.texts, prompt.tokens, prompt.messages) == (texts, tokens, 0)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(ANY, ANY)
def test_no_shape_is_too_odd(messages: object, tools: object) -> None:
    """The upstream will refuse it; counting must not."""
    for path in ("/v1/chat/completions", "/v1/responses", "/v1/embeddings"):
        prompt_of(path, messages=messages, input=messages, tools=tools, instructions=tools)
