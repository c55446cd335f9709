"""Estimates: inline for what is short, beside the loop for what is long."""

from __future__ import annotations

import json

import pytest

from app.adapters.estimator import Estimator
from app.domain.call.request import InferenceRequest
from app.domain.call.tokens import TokenCounter
from app.domain.quota.learned import UNKNOWN, LearnedOutput
from app.wire.relayed import RelayedText
from app.wire.routes import match


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    return Estimator(TokenCounter(), LearnedOutput())


def chat(text: str) -> InferenceRequest:
    """A request that says this."""
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    route = match("POST", "/v1/chat/completions", "")
    return InferenceRequest(route, "m", json.dumps(body).encode())


@pytest.mark.parametrize("times", [1, 20_000])
async def test_a_prompt_is_counted_as_the_model_reads_it(estimator: Estimator, times: int) -> None:
    """Its text, its role, its frame: no braces, no names of fields."""
    text = " word" * times
    assert await estimator.prompt(chat(text), "gpt-4o") == times + 1 + 3 + 3


async def test_what_was_relayed_is_counted(estimator: Estimator) -> None:
    """Tokens of the text alone."""
    relayed = RelayedText()
    relayed.add(b'data: {"choices":[{"delta":{"content":" word word"}}]}\n\n')
    assert await estimator.relayed(relayed, "gpt-4o") == 2


def test_lengths_are_learned(estimator: Estimator) -> None:
    """By whoever is shown answers."""
    assert estimator.output("t", "m") == UNKNOWN
    for _ in range(20):
        estimator.observe("t", "m", 9)
    assert estimator.output("t", "m") < 12
