"""A prompt's estimate: what the upstream will count, for any text, in a bounded time."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.estimator import Estimator
from app.domain.call.request import InferenceRequest
from app.domain.call.tokens import TokenCounter
from app.domain.quota.learned import LearnedOutput
from app.simulator.prompt import chat_prompt, responses_prompt, text_prompts
from app.wire.routes import match

COUNTER: Final = TokenCounter()
ESTIMATOR: Final = Estimator(COUNTER, LearnedOutput())
MODEL: Final = "gpt-4o"


@pytest.fixture(scope="module", autouse=True)
def vocabularies() -> None:
    """Load them before any example's time is taken."""
    COUNTER.warm()


def encode(text: str) -> list[int]:
    return list(COUNTER.encode(text, MODEL))


def request(path: str, body: object) -> InferenceRequest:
    return InferenceRequest(match("POST", path, ""), "m", json.dumps(body).encode())


def estimate(path: str, body: dict[str, Any]) -> int:
    return asyncio.run(ESTIMATOR.prompt(request(path, body), MODEL))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
parts = st.lists(
    st.builds(lambda text: {"type": "text", "text": text}, texts), min_size=1, max_size=3
)
calls = st.lists(
    st.builds(
        lambda arguments: {"id": "c", "function": {"name": "f", "arguments": arguments}}, texts
    ),
    min_size=1,
    max_size=2,
)
roles = st.sampled_from(["system", "user", "assistant", "tool"])
messages = st.lists(
    st.fixed_dictionaries(
        {"role": roles, "content": texts | parts}, optional={"tool_calls": calls}
    ),
    min_size=1,
    max_size=5,
)
tools = st.lists(
    st.builds(
        lambda text: {"type": "function", "function": {"name": "f", "description": text}}, texts
    ),
    max_size=2,
)


@given(messages, tools)
def test_a_chat_is_estimated_as_the_upstream_counts_it(
    given_messages: list[dict[str, Any]], given_tools: list[dict[str, Any]]
) -> None:
    """To the token; tools to one, which stands for the list of them."""
    body = {"messages": given_messages, "tools": given_tools}
    counted = len(chat_prompt(body, encode).tokens) - bool(given_tools)
    assert estimate("/v1/chat/completions", body) == counted


@given(messages, texts)
def test_a_response_is_estimated_as_the_upstream_counts_it(
    given_messages: list[dict[str, Any]], instructions: str
) -> None:
    """Items and instructions are messages."""
    items = [{name: each[name] for name in ("role", "content")} for each in given_messages]
    body = {"input": items, "instructions": instructions}
    counted = len(responses_prompt(body, encode).tokens)
    assert estimate("/v1/responses", body) == counted


@given(
    st.lists(texts | st.lists(st.integers(0, 9), min_size=1, max_size=9), min_size=1, max_size=4)
)
def test_inputs_are_estimated_as_the_upstream_counts_them(inputs: list[Any]) -> None:
    """Texts and token ids of embeddings, without a frame."""
    counted = sum(len(each.tokens) for each in text_prompts(inputs, encode, param="input"))
    assert estimate("/v1/embeddings", {"input": inputs}) == counted


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["type", "text", "content", "image_url", "url", "output", "role", "name"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(anything, st.sampled_from(["messages", "input", "prompt", "tools", "text", "instructions"]))
def test_no_shape_stops_a_request(value: object, name: str) -> None:
    """What it is worth is for the upstream to say."""
    for path in ("/v1/chat/completions", "/v1/responses", "/v1/completions", "/v1/embeddings"):
        assert estimate(path, {name: value}) >= 0


@pytest.mark.parametrize("megabytes", [1, 10])
async def test_the_worst_text_holds_nobody_up(megabytes: int) -> None:
    """A run of dashes takes most time to count: below two seconds, and others go on meanwhile."""
    text = "-" * (megabytes * 2**20)
    body = {"messages": [{"role": "user", "content": text}]}
    counting = asyncio.ensure_future(ESTIMATOR.prompt(request("/v1/chat/completions", body), MODEL))
    turns = 0
    async with asyncio.timeout(20):  # a machine that is busy with other tests
        while not counting.done():
            await asyncio.sleep(0.001)
            turns += 1
    assert turns > 10
    exact = COUNTER.count("-" * 2**20, MODEL) * megabytes
    assert counting.result() == pytest.approx(exact, rel=0.01)
