"""A question's digests: the same for all spellings of a request, and for no other request."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.cache.entry import Bypass, Question
from app.wire.cache.question import question_of
from app.wire.openai import read_request
from app.wire.routes import match

CHAT = "/v1/chat/completions"
UNSHAPING = {
    "metadata": {"trace": "7"},
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "safety_identifier": "s",
    "store": True,
    "stream": True,
    "stream_options": {"include_usage": True},
    "user": "u",
}

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)
#: What else a request may say: fields of tomorrow, too.
others = st.dictionaries(
    st.sampled_from(["temperature", "seed", "stop", "top_p", "response_format", "tomorrow"]),
    values,
    max_size=4,
)
said = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant"]), "content": texts}
    ),
    max_size=3,
)
prompts = texts.filter(lambda text: bool(text.strip()))


def question(fields: dict[str, Any], path: str = CHAT, salt: bytes = b"") -> Question:
    body = json.dumps(fields).encode()
    found = question_of(read_request(match("POST", path, ""), body), salt=salt)
    assert not isinstance(found, Bypass)
    return found


def asked(said: list[dict[str, Any]], prompt: str, more: dict[str, Any]) -> dict[str, Any]:
    messages = [*said, {"role": "user", "content": prompt}]
    return {"model": "m", "messages": messages, **more}


def shuffled(value: Any, order: Any) -> Any:
    """The same value, objects with their members in another order, whole numbers as floats."""
    if isinstance(value, dict):
        members = [(name, shuffled(each, order)) for name, each in value.items()]
        order.shuffle(members)
        return dict(members)
    if isinstance(value, list):
        return [shuffled(each, order) for each in value]
    if type(value) is int and abs(value) < 2**53 and order.random() < 0.5:
        return float(value)
    return value


@given(said, prompts, others, st.randoms(use_true_random=False))
def test_spellings_of_a_request_are_one_question(
    said: list[dict[str, Any]], prompt: str, more: dict[str, Any], order: Any
) -> None:
    """Order of members, space, escapes, 1 and 1.0."""
    fields = asked(said, prompt, more)
    other = json.dumps(
        shuffled(fields, order), ensure_ascii=order.random() < 0.5, indent=2
    ).encode()
    assert question(fields) == question_of(read_request(match("POST", CHAT, ""), other))


@given(prompts, st.sets(st.sampled_from(sorted(UNSHAPING))))
def test_who_asks_and_how_it_is_delivered_does_not_matter(prompt: str, names: set[str]) -> None:
    """Not to the answer."""
    fields = asked([], prompt, {})
    assert question(fields) == question(fields | {name: UNSHAPING[name] for name in names})


@given(said, prompts, others, st.sampled_from(["temperature", "tools_of_tomorrow", "n"]), values)
def test_every_other_field_counts(
    said: list[dict[str, Any]], prompt: str, more: dict[str, Any], name: str, value: Any
) -> None:
    """Another value of any field, one that nobody knows included, is another question."""
    fields = asked(said, prompt, more)
    other = fields | {name: value}
    assume(_plain(other) != _plain(fields))
    assert question(fields).fingerprint != question(other).fingerprint


@given(said, prompts, said, prompts)
def test_other_messages_are_another_question(
    said: list[dict[str, Any]], prompt: str, others: list[dict[str, Any]], other: str
) -> None:
    """And the partition is the same exactly where all but the last turn is."""
    first, second = question(asked(said, prompt, {})), question(asked(others, other, {}))
    same_before = said == others
    assert (first.fingerprint == second.fingerprint) == (same_before and prompt == other)
    assert (first.partition == second.partition) == same_before


@given(st.lists(texts, min_size=1, max_size=4), st.lists(texts, min_size=1, max_size=4))
def test_texts_do_not_run_into_each_other(one: list[str], other: list[str]) -> None:
    """Lists of texts of an embedding are the same question only if they are the same lists."""
    path = "/v1/embeddings"
    first = question({"model": "m", "input": one}, path)
    second = question({"model": "m", "input": other}, path)
    assert (first.fingerprint == second.fingerprint) == (one == other)


@given(texts, texts, st.binary(max_size=4), st.binary(max_size=4))
def test_model_and_salt_count_apart(one: str, other: str, salt: bytes, another: bytes) -> None:
    """What the one ends with is not what the other begins with."""
    fields = {"input": "x"}
    first = question(fields | {"model": "m" + one}, "/v1/embeddings", salt)
    second = question(fields | {"model": "m" + other}, "/v1/embeddings", another)
    assert (first.fingerprint == second.fingerprint) == ((one, salt) == (other, another))


def _plain(value: object) -> str:
    """A value so that 1 and 1.0 are equal, and True and 1 are not; written by another encoder."""
    if isinstance(value, dict):
        return (
            "{" + ",".join(sorted(f"{name!r}:{_plain(each)}" for name, each in value.items())) + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(map(_plain, value)) + "]"
    if isinstance(value, float) and value.is_integer():
        return repr(int(value))
    return repr(value)
