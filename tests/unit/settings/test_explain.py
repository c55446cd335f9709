"""For how long, and of how many requests, explanations are kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.settings import ConfigProblems, Explain, load


def test_explanations_are_kept_unless_the_config_says_otherwise(
    write: Callable[[str], Path], minimal: str
) -> None:
    """Of every request, for a quarter of an hour; 0 s turns it off."""
    assert load(write(minimal), {}).explain == Explain(keep_s=900, sample=1.0, max_records=100_000)
    explain = load(write(minimal + "explain: {keep_s: 0, sample: 0.1}\n"), {}).explain
    assert (explain.keep_s, explain.sample) == (0, 0.1)


@pytest.mark.parametrize(
    "mistake", ["keep_s: -1", "keep_s: 90000", "sample: 1.5", "max_records: 0"]
)
def test_what_is_out_of_bounds_is_told(
    write: Callable[[str], Path], minimal: str, mistake: str
) -> None:
    """By its path."""
    path = mistake.partition(":")[0]
    with pytest.raises(ConfigProblems, match=rf"explain\.{path}: must be"):
        load(write(minimal + f"explain: {{{mistake}}}\n"), {})
