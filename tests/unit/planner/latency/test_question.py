from __future__ import annotations

import json
from typing import Any

import pytest

from app.domain.call.request import InferenceRequest
from app.domain.call.tokens import TokenCounter
from app.domain.routing.deployment import Api, Deployment, Kind
from app.planner.latency.plan import Plan
from app.planner.latency.question import Questions
from tests.fakes.changed import replace

GPT_4O = Deployment("paygo", Kind.PAYGO, "https://x", Api.V1, "my-gpt", "gpt-4o")
COUNTER = TokenCounter()


def asked(request: InferenceRequest) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(request.body)
    return found


def prompt(request: InferenceRequest) -> str:
    text: str = asked(request)["messages"][0]["content"]
    return text


@pytest.mark.parametrize("tokens", [50, 500, 4000])
@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4"])
def test_a_prompt_has_the_size_that_was_asked_for(tokens: int, model: str) -> None:
    """With the seven tokens around a message, in either vocabulary."""
    questions = Questions(Plan(("paygo",), prompt_tokens=tokens), COUNTER.count, "0a1b2c3d")
    found = questions.ask(replace(GPT_4O, model=model), 12)
    assert COUNTER.count(prompt(found), model) + 7 == tokens


def test_no_two_prompts_begin_alike() -> None:
    """Neither within a run nor with an earlier one's: else the second were cached."""
    plan = Plan(("paygo",))
    runs = [Questions(plan, COUNTER.count, each) for each in ("run-1", "run-2")]
    starts = {prompt(run.ask(GPT_4O, turn))[:12] for run in runs for turn in range(5)}
    assert len(starts) == 10


def test_a_stream_with_its_usage_is_asked_for_by_azures_name() -> None:
    """The answer's length is capped as the plan says."""
    request = Questions(Plan(("paygo",), output_tokens=77), COUNTER.count, "r").ask(GPT_4O, 0)
    body = asked(request)
    assert (body["model"], body["max_tokens"]) == ("my-gpt", 77)
    assert request.stream
    assert request.wants_usage


@pytest.mark.parametrize("changed", [{"reasons": True}, {"refuses": frozenset({"max_tokens"})}])
def test_who_does_not_take_max_tokens_gets_the_newer_name(changed: dict[str, Any]) -> None:
    """A reasoning model would answer 400."""
    questions = Questions(Plan(("paygo",), output_tokens=77), COUNTER.count, "r")
    body = asked(questions.ask(replace(GPT_4O, **changed), 0))
    assert body["max_completion_tokens"] == 77
    assert "max_tokens" not in body
