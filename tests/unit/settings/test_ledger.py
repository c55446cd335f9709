"""For how long the ledger is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.settings import load


@pytest.mark.parametrize("days", [-1, 0, 31])
def test_less_than_a_month_is_refused(
    found: Callable[[str], list[str]], minimal: str, days: int
) -> None:
    """A lost account would begin the month with less than was spent."""
    assert found(f"{minimal}ledger: {{retention_days: {days}}}\n") == [
        (
            "9:26: ledger.retention_days: must be at least 32: a month's budgets are counted anew "
            "from the archive when Redis loses them"
        )
    ]


def test_a_month_is_enough(write: Callable[[str], Path], minimal: str) -> None:
    """Whichever month it is."""
    ledger = load(write(f"{minimal}ledger: {{retention_days: 32}}\n"), {}).ledger
    assert ledger is not None
    assert ledger.retention_days == 32
