"""What is usual for a deployment's first content."""

from __future__ import annotations

import pytest

from app.domain.routing.first_tokens import FirstTokens

NOW = 1000.0


def learnt(count: int, *, prompt: int = 1000) -> FirstTokens:
    """So many streams, each a hundredth of a second later than the one before."""
    first = FirstTokens()
    for number in range(count):
        first.add("a", prompt, number / 100, NOW)
    return first


@pytest.mark.parametrize(("part", "seconds"), [(0.5, 0.49), (0.95, 0.94), (1.0, 0.99)])
def test_a_quantile_is_one_of_the_times(part: float, seconds: float) -> None:
    """The time in which this part of them had begun."""
    assert learnt(100).quantile("a", 1000, part, NOW) == seconds


def test_few_say_nothing() -> None:
    """Neither do other deployments, nor prompts of another size."""
    assert learnt(19).quantile("a", 1000, 0.5, NOW) is None
    known = learnt(20)
    assert known.quantile("a", 1000, 0.5, NOW) is not None
    assert known.quantile("a", 600, 0.5, NOW) is not None
    assert known.quantile("a", 10_000, 0.5, NOW) is None
    assert known.quantile("b", 1000, 0.5, NOW) is None


def test_what_is_old_is_forgotten() -> None:
    """After ten minutes, and beyond the last 256."""
    known = learnt(300)
    assert known.quantile("a", 1000, 1 / 256, NOW) == 0.44
    assert known.quantile("a", 1000, 0.5, NOW + 600) is None
