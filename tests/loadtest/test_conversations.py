from __future__ import annotations

from random import Random

import pytest

from loadtest.brown_out import faults
from loadtest.conversations import COMMON_QUESTIONS, Agent, Asking, embedding, question
from loadtest.zipf import Zipf

ASKING = Asking("gpt-4o", max_tokens=44)


def test_a_seed_asks_the_same_again() -> None:
    """A run can be repeated; another user asks something else."""
    assert ASKING.chat(Random(1)) == ASKING.chat(Random(1))
    assert ASKING.chat(Random(1)) != ASKING.chat(Random(2))


def test_chats_are_streams_with_usage_and_a_cap() -> None:
    """What is measured needs all three."""
    body = ASKING.chat(Random(1))
    assert (body["model"], body["max_tokens"], body["stream"]) == ("gpt-4o", 44, True)
    assert body["stream_options"] == {"include_usage": True}


def test_questions_of_one_are_no_cache_friendly_traffic() -> None:
    """Only what is meant to repeat does."""
    rng = Random(1)
    assert len({question(rng) for _ in range(500)}) == 500
    popularity = Zipf(COMMON_QUESTIONS)
    repeated = [ASKING.repeated(rng, popularity)["messages"][0]["content"] for _ in range(500)]
    assert 20 < len(set(repeated)) < 300


def test_long_prompts_are_long_and_begin_differently() -> None:
    """No prompt cache helps."""
    rng = Random(1)
    prompts = [ASKING.long_prompt(rng)["messages"][0]["content"] for _ in range(5)]
    assert min(len(each.split()) for each in prompts) >= 1500
    assert len({each[:18] for each in prompts}) == 5


def test_an_agent_hands_the_result_of_its_call_back() -> None:
    """Every call with its own id, and the model's message before them."""
    agent = Agent(ASKING, Random(1))
    first = agent.calls_tool()
    assert (first["tool_choice"], first.get("stream")) == ("required", None)
    calls = [{"id": "call_1", "type": "function", "function": {"name": "look_up"}}]
    agent.called({"role": "assistant", "tool_calls": calls})
    second = agent.answers()
    roles = [message["role"] for message in second["messages"]]
    assert roles == ["system", "user", "assistant", "tool"]
    assert second["messages"][-1]["tool_call_id"] == "call_1"
    assert (second["tool_choice"], second["stream"]) == ("none", True)


def test_an_agent_whose_model_calls_nothing_says_so() -> None:
    """There is nothing to go on with."""
    with pytest.raises(ValueError, match="called no tool"):
        Agent(ASKING, Random(1)).called({"role": "assistant", "content": "Hi"})


def test_embeddings_are_of_some_texts() -> None:
    """One to eight."""
    rng = Random(1)
    sizes = {len(embedding("e", rng)["input"]) for _ in range(100)}
    assert sizes == set(range(1, 9))


def test_a_brown_out_is_of_the_named_deployment_and_ends() -> None:
    """Every fault is used up by so many requests."""
    found = faults("ptu-east", requests=3)
    assert {each["deployment"] for each in found} == {"ptu-east"}
    assert {each["times"] for each in found} == {3}
    assert {each.get("status") for each in found} == {429, 503, None}
