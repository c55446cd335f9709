"""Whether one answer is served for another prompt."""

from __future__ import annotations

import math

import pytest

from app.adapters.phrasebook import load_phrasebook
from app.domain.cache.decision import may_serve
from app.domain.cache.guards.phrasebook import Phrasebook

PAIR = ("How do I cancel my plan?", "How can I cancel my plan?")


@pytest.fixture(scope="module")
def book() -> Phrasebook:
    return load_phrasebook()


def test_near_and_agreeing_is_served(book: Phrasebook) -> None:
    """Both the distance and the guards have to allow it; the threshold itself is near enough."""
    verdict = may_serve(*PAIR, 0.5, threshold=0.5, book=book)
    assert verdict.serves
    assert not verdict.refused_by


@pytest.mark.parametrize("distance", [0.51, math.nan, math.inf])
def test_too_far_is_refused_whatever_they_say(book: Phrasebook, distance: float) -> None:
    """Beyond the threshold, and where the distance is no number, nothing is served."""
    assert may_serve(*PAIR, distance, threshold=0.5, book=book).refused_by == "distance"


def test_a_guard_refuses_at_no_distance(book: Phrasebook) -> None:
    """The nearest of prompts is refused when it asks for something else; no text is told."""
    verdict = may_serve("USD to EUR", "EUR to USD", 0.0, threshold=0.5, book=book)
    assert not verdict.serves
    assert verdict.refused_by == "direction"
