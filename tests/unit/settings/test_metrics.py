"""How many series there may be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.settings import ConfigProblems, load


def test_a_hundred_tenants_have_series_unless_the_config_says_otherwise(
    write: Callable[[str], Path], minimal: str
) -> None:
    """All others are counted together."""
    assert load(write(minimal), {}).metrics.most_tenants == 100
    told = load(write(minimal + "metrics: {most_tenants: 20}\n"), {})
    assert told.metrics.most_tenants == 20


@pytest.mark.parametrize("most", [0, 20_000])
def test_what_is_out_of_bounds_is_told(
    write: Callable[[str], Path], minimal: str, most: int
) -> None:
    """By its path."""
    with pytest.raises(ConfigProblems, match=r"metrics\.most_tenants: must be"):
        load(write(minimal + f"metrics: {{most_tenants: {most}}}\n"), {})
