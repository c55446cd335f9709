"""What all answers carry: identity, time, model, and what was used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from app.simulator.answer import Answer

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Envelope:
    """The outside of an answer; `created` is Unix seconds."""

    id: str
    created: int
    model: str
    on_azure: bool


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer; `cached` is part of `prompt`, `reasoning` of `output`."""

    prompt: int
    cached: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        return self.prompt + self.output


@dataclass(frozen=True, slots=True)
class Frame:
    """One event of a stream; `tokens` of the answer are in it, and `last` ends the stream."""

    data: bytes
    tokens: int = 0
    last: bool = False


def usage_of(prompt: int, cached: int, answers: Iterable[Answer]) -> Usage:
    answers = list(answers)
    return Usage(
        prompt=prompt,
        cached=cached,
        output=sum(answer.tokens for answer in answers),
        reasoning=sum(answer.reasoning for answer in answers),
    )


def completion_usage(usage: Usage) -> Json:
    """Usage as chat and legacy completions spell it."""
    return {
        "completion_tokens": usage.output,
        "completion_tokens_details": {
            "accepted_prediction_tokens": 0,
            "audio_tokens": 0,
            "reasoning_tokens": usage.reasoning,
            "rejected_prediction_tokens": 0,
        },
        "prompt_tokens": usage.prompt,
        "prompt_tokens_details": {"audio_tokens": 0, "cached_tokens": usage.cached},
        "total_tokens": usage.total,
    }


def response_usage(usage: Usage) -> Json:
    """Usage as the Responses API spells it."""
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }


def data_frame(value: Json, *, tokens: int = 0) -> Frame:
    """An event without a name, as completions stream them."""
    return Frame(b"data: " + orjson.dumps(value) + b"\n\n", tokens)


def done_frame() -> Frame:
    return Frame(b"data: [DONE]\n\n", last=True)
