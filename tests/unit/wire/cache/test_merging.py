from __future__ import annotations

from typing import Any

import pytest

from app.wire.cache.merging import Text, Unfoldable, extend, keep_same, merge_filter_results
from app.wire.cache.unkept import Unkept


def test_a_text_is_its_pieces() -> None:
    """Null is no piece, and nothing else is text."""
    text = Text()
    assert text.whole() is None
    for piece in (None, "", "a", None, "b"):
        text.add(piece)
    assert text.whole() == "ab"
    with pytest.raises(Unfoldable) as refused:
        text.add(1)
    assert refused.value.reason is Unkept.UNFOLDABLE


def test_what_all_pieces_repeat_is_kept_once() -> None:
    """Null may stand for it before and after; another value may not."""
    fields: dict[str, Any] = {}
    for value in (None, "x", None, "x"):
        keep_same(fields, "maker", value)
    assert fields == {"maker": "x"}
    with pytest.raises(Unfoldable):
        keep_same(fields, "maker", "y")


def test_lists_grow_and_stay_their_owners() -> None:
    """The first piece is not changed by the second."""
    fields: dict[str, Any] = {}
    first = [1]
    extend(fields, "tokens", None)
    assert fields == {"tokens": None}
    extend(fields, "tokens", first)
    extend(fields, "tokens", [2])
    assert (fields, first) == ({"tokens": [1, 2]}, [1])
    with pytest.raises(Unfoldable):
        extend(fields, "tokens", "3")


def test_the_most_severe_verdict_of_a_category_stays() -> None:
    """In whatever order they come; what is no verdict is passed by."""
    safe, high = ({"filtered": False, "severity": each} for each in ("safe", "high"))
    known: dict[str, Any] = {}
    for results in ({"hate": safe}, None, {"hate": high, "sexual": safe}, {"hate": safe}):
        merge_filter_results(known, results)
    assert known == {"hate": high, "sexual": safe}
    detected = {"filtered": False, "detected": True}
    merge_filter_results(known, {"jailbreak": {"filtered": False, "detected": False}})
    merge_filter_results(known, {"jailbreak": detected})
    assert known["jailbreak"] == detected
