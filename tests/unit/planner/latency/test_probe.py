from __future__ import annotations

import json
from typing import Any

import pytest

from app.domain.call.tokens import TokenCounter
from app.domain.routing.deployment import Api, Deployment, Kind
from app.errors import UpstreamUnreachable
from app.planner.latency.plan import Plan
from app.planner.latency.probe import Probe
from app.planner.latency.question import Questions
from app.planner.latency.sample import Ending, Sample
from tests.fakes.clock import FakeClock
from tests.fakes.upstream import Script, ScriptedUpstream

PTU = Deployment("ptu", Kind.PTU, "https://x", Api.V1, "gpt", "gpt-4o")
REQUEST = Questions(Plan(("ptu",)), TokenCounter().count, "r").ask(PTU, 0)


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def word(text: str) -> bytes:
    return event(choices=[{"index": 0, "delta": {"content": text}}])


ROLE = event(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}}])
STOP = event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
DONE = b"data: [DONE]\n\n"


def usage(**counts: Any) -> bytes:
    return event(choices=[], usage={"prompt_tokens": 500, **counts})


class Stage:
    """A probe and what it asks."""

    def __init__(self) -> None:
        clock = FakeClock()
        self.upstream = ScriptedUpstream(clock)
        self.probe = Probe(self.upstream, clock)

    @property
    def ptu(self) -> Script:
        return self.upstream("ptu")

    async def ask(self) -> Sample:
        found = await self.probe.ask(PTU, REQUEST)
        assert self.upstream.still_open == [], "every answer is let go of"
        return found


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_times_are_of_content_not_of_what_comes_around_it(stage: Stage) -> None:
    """The role is no first token, and the usage after the last is no token at all."""
    parts = (ROLE, word("a"), word("b"), word("c"), STOP, usage(completion_tokens=3), DONE)
    stage.ptu.plays(*parts).takes(0.1)
    stage.ptu.pauses(0.2, before=1).pauses(1.0, before=3).pauses(2.0, before=7)
    found = await stage.ask()
    assert found.ending is Ending.ANSWERED
    assert found.ttft_s == pytest.approx(0.3)
    assert found.tpot_s == pytest.approx(0.5), "a second over the two gaps between three tokens"
    assert found.latency_s == pytest.approx(3.3)
    assert (found.input_tokens, found.output_tokens) == (500, 3)


async def test_reasoning_is_in_the_first_token_and_in_no_gap(stage: Stage) -> None:
    """Tokens that nobody sees are generated before those that are."""
    counts = {"completion_tokens": 103, "completion_tokens_details": {"reasoning_tokens": 100}}
    stage.ptu.plays(word("a"), word("b"), word("c"), usage(**counts), DONE)
    stage.ptu.pauses(1.0, before=2)
    assert (await stage.ask()).tpot_s == pytest.approx(0.5)


async def test_one_token_has_no_time_per_token(stage: Stage) -> None:
    """It has a first token and an end."""
    stage.ptu.plays(word("a"), usage(completion_tokens=1), DONE)
    found = await stage.ask()
    assert (found.ending, found.tpot_s) == (Ending.ANSWERED, None)


async def test_a_refusal_is_told_apart_from_a_failure(stage: Stage) -> None:
    """Both say what they said; neither has a time."""
    stage.ptu.answers(429, code="429", retry_after_ms=100)
    stage.ptu.answers(404, code="DeploymentNotFound")
    stage.ptu.answers(503)
    stage.ptu.fails(UpstreamUnreachable)
    found = [await stage.ask() for _ in range(4)]
    told = [(each.ending, each.why) for each in found]
    assert told == [
        (Ending.THROTTLED, "429"),
        (Ending.FAILED, "404 DeploymentNotFound"),
        (Ending.FAILED, "503"),
        (Ending.FAILED, "upstream_unreachable: The connection failed."),
    ]
    assert {each.ttft_s for each in found} == {None}


async def test_an_error_within_a_stream_is_no_answer(stage: Stage) -> None:
    """Nor is a throttle that came with status 200."""
    stage.ptu.plays(event(error={"code": "too_many_requests"}))
    stage.ptu.plays(word("a"), event(error={"code": "server_error"}))
    found = [await stage.ask() for _ in range(2)]
    assert [each.ending for each in found] == [Ending.THROTTLED, Ending.FAILED]
    assert {each.latency_s for each in found} == {None}


async def test_half_an_answer_is_a_failure(stage: Stage) -> None:
    """Broken off, ended early, or silent."""
    parts = (word("a"), word("b"), DONE)
    stage.ptu.plays(*parts).cuts_after(1)
    stage.ptu.plays(*parts).ends_after(2)
    stage.ptu.plays(*parts).stalls(1)
    found = [await stage.ask() for _ in range(3)]
    assert {each.ending for each in found} == {Ending.FAILED}
    broken = "upstream_disconnected: The connection broke."
    assert [each.why for each in found] == [broken, "incomplete", "silence"]
