from __future__ import annotations

import json

from app.domain.call.request import Operation
from app.wire.cache.told import Told
from app.wire.cache.unfold import unfold
from tests.fakes.kept_answers import (
    Fields,
    chat,
    choice,
    message,
    output_text,
    response,
    response_message,
)

CHAT = Operation.CHAT_COMPLETIONS


def told(operation: Operation, body: Fields, *, include_usage: bool = False) -> list[Told]:
    return list(unfold(operation, json.dumps(body).encode(), include_usage=include_usage))


def test_weights_are_about_the_tokens_of_the_answer() -> None:
    """So that a relay can keep a pace."""
    text = "The quick brown fox jumps over the lazy dog. " * 20
    weights = sum(each.tokens for each in told(CHAT, chat(choice(message(text)))))
    assert 180 <= weights <= 220  # by o200k_base it has 201
    same = told(Operation.RESPONSES, response(response_message(output_text(text))))
    assert sum(each.tokens for each in same) == weights


def test_frames_of_a_large_answer_are_made_one_by_one() -> None:
    """The first ones do not wait for the rest: taking three takes a small part of taking all."""
    body = json.dumps(chat(choice(message("word " * 200_000)))).encode()
    frames = unfold(CHAT, body)
    taken = [next(frames) for _ in range(3)]
    assert sum(len(each.frame) for each in taken) < 2000
    assert sum(1 for _ in frames) > 100_000
