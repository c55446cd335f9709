"""What is expected of answers that nobody capped."""

from __future__ import annotations

import random

import pytest

from app.domain.quota.learned import ENOUGH, MOST_PAIRS, UNKNOWN, LearnedOutput


def test_a_few_answers_teach_nothing() -> None:
    """Until then a figure that suits most chats."""
    learned = LearnedOutput()
    for _ in range(ENOUGH - 1):
        learned.observe("t", "m", 10)
    assert learned.output("t", "m") == UNKNOWN
    learned.observe("t", "m", 10)
    assert learned.output("t", "m") < 15


@pytest.mark.parametrize("typical", [3, 80, 900, 20_000])
def test_nineteen_of_twenty_fit(typical: int) -> None:
    """And not by much more than needed."""
    learned, rng = LearnedOutput(), random.Random(7)
    lengths = [round(rng.lognormvariate(0, 0.5) * typical) for _ in range(2000)]
    for length in lengths:
        learned.observe("t", "m", length)
    wanted = sorted(lengths)[int(0.95 * len(lengths))]
    assert wanted * 0.9 <= learned.output("t", "m") <= wanted * 1.3 + 1


def test_habits_change() -> None:
    """Old answers weigh less and less."""
    learned = LearnedOutput()
    for length in [5000] * 2000 + [50] * 5000:
        learned.observe("t", "m", length)
    assert learned.output("t", "m") < 70


def test_pairs_are_apart_and_bounded() -> None:
    """One's habits say nothing of another's; the longest unused is forgotten."""
    learned = LearnedOutput()
    for _ in range(ENOUGH):
        learned.observe("t", "m", 10)
    assert learned.output("t", "other") == UNKNOWN
    for number in range(MOST_PAIRS):
        learned.observe(str(number), "m", 10)
    assert learned.output("t", "m") == UNKNOWN


def test_no_length_is_too_odd() -> None:
    """Nothing, and more than any model writes; and so many that weights would overflow."""
    learned = LearnedOutput()
    for length in [0, 10**12] * 200_000:
        learned.observe("t", "m", length)
    assert learned.output("t", "m") > 10**6
