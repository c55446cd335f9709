from __future__ import annotations

import json
from typing import Any

from app.domain.call.request import Operation
from app.wire.cache.told import Told
from app.wire.cache.unfold import unfold
from tests.fakes.kept_answers import (
    SAFE,
    Fields,
    call,
    chat,
    choice,
    message,
    token_entries,
)

CHAT = Operation.CHAT_COMPLETIONS


def told(operation: Operation, body: Fields, *, include_usage: bool = False) -> list[Told]:
    return list(unfold(operation, json.dumps(body).encode(), include_usage=include_usage))


def chunks(body: Fields, *, include_usage: bool = False) -> list[Any]:
    """The chunks of a chat, without the end."""
    frames = [each.frame for each in told(CHAT, body, include_usage=include_usage)]
    assert frames.pop() == b"data: [DONE]\n\n"
    return [json.loads(each.removeprefix(b"data: ")) for each in frames]


def test_a_chat_is_told_in_the_order_of_upstreams() -> None:
    """Annotations without identity, role, text, reason to end, and no usage that nobody wants."""
    annotated = [{"prompt_index": 0, "content_filter_results": SAFE}]
    body = chat(choice(content_filter_results=SAFE), prompt_filter_results=annotated)
    first, role, *text, end = chunks(body)
    assert (first["id"], first["choices"], first["prompt_filter_results"]) == ("", [], annotated)
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert [each["choices"][0]["delta"]["content"] for each in text] == [
        "Hello",
        ",",
        " world",
        ".",
    ]
    assert [each["choices"][0]["content_filter_results"] for each in text] == [SAFE] * 4
    assert (end["choices"][0]["delta"], end["choices"][0]["finish_reason"]) == ({}, "stop")
    assert not any("usage" in each for each in (first, role, *text, end))


def test_usage_is_told_last_and_null_before_where_it_was_asked_for() -> None:
    """As upstreams do."""
    *before, last = chunks(chat(prompt_filter_results=[{}]), include_usage=True)
    assert last["choices"] == []
    assert last["usage"] == chat()["usage"]
    assert all(each["usage"] is None for each in before)


def test_calls_are_told_by_name_first_then_piece_by_piece() -> None:
    """Index by index."""
    body = chat(choice(message(None, tool_calls=[call(), call("time", "{}", 2)]), "tool_calls"))
    pieces = [each["choices"][0]["delta"] for each in chunks(body)][1:-1]
    calls = [piece["tool_calls"][0] for piece in pieces]
    assert calls[0] == {**call(arguments=""), "index": 0}
    assert all(set(each) == {"index", "function"} for each in calls[1:] if "id" not in each)
    assert [each["index"] for each in calls] == sorted(each["index"] for each in calls)
    assert "".join(each["function"]["arguments"] for each in calls) == '{"city":"Oslo"}{}'


def test_verdicts_come_with_the_end_where_nothing_is_said_in_pieces() -> None:
    """They are not lost."""
    said = message(None, tool_calls=[call(arguments="")])
    *before, end = chunks(chat(choice(said, "tool_calls", content_filter_results=SAFE)))
    assert end["choices"][0]["content_filter_results"] == SAFE
    assert [each["choices"][0]["content_filter_results"] for each in before] == [{}, {}]


def test_choices_take_turns() -> None:
    """Nobody waits for the other's end."""
    body = chat(choice(message("a b c")), choice(message("d e f")))
    indexes = [each["choices"][0]["index"] for each in chunks(body)]
    assert indexes == [0, 1] * (len(indexes) // 2)


def test_log_probabilities_come_with_their_text() -> None:
    """Tokens that are halves of a character come together."""
    text = "a€b"
    entries = token_entries(text)
    body = chat(choice(message(text), logprobs={"content": entries, "refusal": None}))
    pieces = [each["choices"][0] for each in chunks(body)][1:-1]
    assert "".join(each["delta"]["content"] for each in pieces) == text
    assert [own for each in pieces for own in each["logprobs"]["content"]] == entries


def test_members_that_nobody_knows_are_told_too() -> None:
    """With the role, and with the end."""
    role, *_, end = chunks(chat(choice(message(maker="x"), tomorrow=7), region="y"))
    assert role["choices"][0]["delta"]["maker"] == "x"
    assert end["choices"][0]["tomorrow"] == 7
    assert end["region"] == "y"
