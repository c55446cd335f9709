"""Answers as bytes: what comes back, and what does not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.redis.answers_encoding import (
    PACKED_FROM_BYTES,
    Damaged,
    encoded,
    meta_of,
    tag_of,
    whole,
)
from app.domain.cache.entry import Entry, Question
from app.domain.cache.kept import PROMPT_BEGINNING
from app.domain.call.request import Operation
from app.domain.quota.usage import Usage
from tests.fakes.entries import an_entry

TAG = tag_of("acme")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
entries = st.builds(
    Entry,
    question=st.builds(
        Question,
        fingerprint=st.binary(min_size=16, max_size=16),
        partition=st.binary(max_size=16),
        prompt=texts,
        reason=texts,
        temperature=st.none() | st.floats(0, 2),
    ),
    operation=st.sampled_from(Operation),
    model=texts,
    request_id=texts,
    stored_at=st.floats(0, 2e9),
    body=st.binary(max_size=100) | st.binary(max_size=20).map(lambda each: each * 500),
    usage=st.builds(Usage, *[st.integers(0, 10**9)] * 4),
    nano_usd=st.integers(0, 10**15),
    seconds=st.floats(0, 1e6),
    deployment=texts,
)


@given(entries)
def test_an_answer_comes_back(entry: Entry) -> None:
    """Every field as it was."""
    kept = encoded(TAG, entry, by_meaning=True)
    meta = meta_of(TAG, kept.meta, entry.question.fingerprint.hex())

    assert whole(meta, kept.body) == entry


@given(entries, st.data())
def test_a_damaged_one_does_not(entry: Entry, data: st.DataObject) -> None:
    """Whatever bytes are others, cut off or added, in whichever part."""
    kept = encoded(TAG, entry, by_meaning=True)
    part = data.draw(st.sampled_from([kept.meta, kept.body]))
    at = data.draw(st.integers(0, len(part)))
    wrong = data.draw(
        st.sampled_from([part[:at], part[:at] + b"\0" + part[at:], part[:at] + b"\xff" + part[at:]])
    )
    meta, body = (wrong, kept.body) if part is kept.meta else (kept.meta, wrong)
    if wrong == part:
        return
    with pytest.raises(Damaged):
        whole(meta_of(TAG, meta), body)


@given(st.binary(max_size=200))
def test_any_bytes(found: bytes) -> None:
    """What is no answer at all is damaged, whatever it is."""
    with pytest.raises(Damaged):
        meta_of(TAG, found)


def test_it_is_its_tenants_and_its_questions() -> None:
    """Under another tag, or another fingerprint, it is none."""
    kept = encoded(TAG, an_entry(), by_meaning=True)

    with pytest.raises(Damaged):
        meta_of(tag_of("acme "), kept.meta)
    with pytest.raises(Damaged):
        meta_of(TAG, kept.meta, "00" * 16)


def test_long_bodies_are_packed() -> None:
    """From some length on, and only where it makes them shorter."""
    for body, shorter in (
        (b"word " * PACKED_FROM_BYTES, True),
        (b"w" * (PACKED_FROM_BYTES - 1), False),
        (random.Random(7).randbytes(PACKED_FROM_BYTES), False),
    ):
        kept = encoded(TAG, an_entry(body=body), by_meaning=False)

        assert len(kept.body) < len(body) if shorter else kept.body == body
        assert whole(meta_of(TAG, kept.meta), kept.body).body == body


def test_a_prompt_is_kept_where_it_is_needed() -> None:
    """Found by the same question alone, an answer keeps but the beginning of a long prompt."""
    question = Question(b"f" * 16, b"p" * 16, "x" * 100_000)

    kept = encoded(TAG, an_entry(question=question), by_meaning=False)

    assert len(kept.meta) < 2 * PROMPT_BEGINNING
    assert meta_of(TAG, kept.meta).beginning == "x" * PROMPT_BEGINNING


def test_tags_tell_tenants_apart() -> None:
    """They are hex digits, of one length, and none is another's."""
    names = ["a", "A", "a ", "á", "a\u0301", "\ud800", "a" * 10_000, "*", tag_of("a")]
    tags = {tag_of(name) for name in names}

    assert len(tags) == len(names)
    assert all(len(tag) == 32 and set(tag) <= set("0123456789abcdef") for tag in tags)
    with pytest.raises(ValueError, match="tenant"):
        tag_of("")
