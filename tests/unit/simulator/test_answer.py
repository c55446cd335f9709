from __future__ import annotations

import json
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.call.tokens import TokenCounter
from app.simulator.answer import Answer, Author
from app.simulator.ask import Ask, Tool
from app.simulator.prompt import Prompt
from app.simulator.words import prose
from tests.fakes.changed import replace

COUNTER = TokenCounter()
PROMPT = Prompt([1, 2, 3], "What is it?")
WEATHER = Tool(
    "weather",
    {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
        "required": ["city", "days"],
    },
)


def author(model: str = "gpt-4o", seed: int = 7) -> Author:
    return Author(model, lambda text: COUNTER.pieces(text, model), seed)


def answer(ask: Ask, *, by: Author | None = None) -> Answer:
    (only,) = (by or author()).answers(ask, room=10_000)
    return only


@given(cap=st.integers(1, 3000), seed=st.integers(), model=st.sampled_from(["gpt-4o", "gpt-5"]))
def test_length_is_between_a_quarter_and_all_of_the_cap(cap: int, seed: int, model: str) -> None:
    """The answer never exceeds its cap, and says "length" exactly when it used it up."""
    given_answer = answer(Ask([PROMPT], cap, seed=seed), by=author(model))

    assert cap / 4 <= given_answer.tokens <= cap
    assert given_answer.finish == ("length" if given_answer.tokens == cap else "stop")


@settings(max_examples=30, deadline=None)  # the first example loads a vocabulary
@given(cap=st.integers(1, 400), seed=st.integers(), model=st.sampled_from(["gpt-4o", "gpt-4"]))
def test_reported_tokens_are_those_of_the_text(cap: int, seed: int, model: str) -> None:
    """Whoever counts the text with the model's vocabulary gets the usage that is reported."""
    given_answer = answer(Ask([PROMPT], cap, seed=seed), by=author(model))
    assert COUNTER.count(given_answer.text, model) == len(given_answer.pieces)


def test_the_same_request_gets_the_same_answer() -> None:
    """Answers depend on input and seed and nothing else."""
    ask = Ask([PROMPT], None)
    assert answer(ask) == answer(replace(ask, stream=True))
    assert answer(ask) != answer(ask, by=author(seed=8))
    assert answer(ask) != answer(replace(ask, prompts=[Prompt([1, 2, 4], "")]))


def test_choices_differ() -> None:
    """`n` asks for several answers, for each prompt."""
    answers = author().answers(Ask([PROMPT, PROMPT], 50, n=2), room=100)
    assert len(answers) == 4
    assert answers[0].text != answers[1].text


def test_the_context_leaves_room() -> None:
    """A cap beyond what the context window has left is cut to it."""
    (only,) = author().answers(Ask([PROMPT], 1000), room=20)
    assert only.tokens <= 20


def test_stop_sequences_end_the_answer_before_them() -> None:
    """The text before the first stop sequence is all there is."""
    whole = answer(Ask([PROMPT], 200))
    stopped = answer(Ask([PROMPT], 200, stop=("never said", ".")))

    assert stopped.text == whole.text.partition(".")[0]
    assert stopped.finish == "stop"


def test_a_tool_call_has_valid_arguments() -> None:
    """The arguments are JSON with every property, of its type."""
    called = answer(Ask([PROMPT], 200, call=WEATHER))

    arguments = json.loads(called.text)
    assert called.call == "weather"
    assert called.finish == "tool_calls"
    assert isinstance(arguments["city"], str)
    assert arguments["days"] >= 1


def test_the_cap_holds_for_json_too() -> None:
    """Structured output that does not fit is cut, as a model's is."""
    cut = answer(Ask([PROMPT], 2, schema=WEATHER.parameters))
    assert (cut.tokens, cut.finish) == (2, "length")


SCHEMAS: list[tuple[Mapping[str, Any], type]] = [
    ({"type": "object", "properties": {"a": {"type": "null"}}}, dict),
    ({"type": "array", "items": {"type": "number"}, "minItems": 3}, list),
    ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, bool),
    ({"$ref": "#/$defs/x", "$defs": {"x": {"enum": ["only"]}}}, str),
    ({"type": ["string", "null"], "maxLength": 4}, str),
    ({"const": 5}, int),
]


@pytest.mark.parametrize(("schema", "kind"), SCHEMAS)
def test_structured_output_fits_its_schema(schema: Mapping[str, Any], kind: type) -> None:
    """Simple schemas are answered with valid JSON."""
    assert isinstance(json.loads(answer(Ask([PROMPT], None, schema=schema)).text), kind)


def test_reasoning_models_think_before_they_speak() -> None:
    """Part of their output is reasoning, unless they are told not to."""
    ask = Ask([PROMPT], 100)
    assert answer(ask, by=author("gpt-5")).reasoning > 0
    assert answer(ask, by=author("gpt-4o")).reasoning == 0
    assert answer(replace(ask, reasons=False), by=author("gpt-5")).reasoning == 0


@settings(deadline=None)
@given(tokens=st.integers(1, 500), seed=st.integers())
def test_prose_is_one_token_a_piece_in_both_vocabularies(tokens: int, seed: int) -> None:
    """The word list holds only words that both vocabularies know."""
    text = "".join(prose(tokens, Random(seed)))
    assert COUNTER.count(text, "gpt-4o") == COUNTER.count(text, "gpt-4") == tokens
