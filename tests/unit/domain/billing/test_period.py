"""Which month."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from app.domain.billing.period import NoMonth, month_named, month_of

BERLIN = ZoneInfo("Europe/Berlin")
HOUR_MS = 3_600_000


def test_that_a_month_is_that_of_its_zone() -> None:
    """October has an hour more in Berlin, where clocks are put back."""
    november, october = month_named("2026-11", UTC), month_named("2026-10", BERLIN)
    assert (november.name, november.ends - november.starts) == ("2026-11", 720 * HOUR_MS)
    assert (october.ends - october.starts) / HOUR_MS == 745
    assert month_of(october.starts / 1000, BERLIN) == october
    assert month_of(october.starts / 1000, UTC).name == "2026-09"


@pytest.mark.parametrize("given", ["2026-13", "2026-1", "11-2026", "", "2026-11-01", "0001-01"])
def test_that_others_are_none(given: str) -> None:
    """Said in words that repeat what was given."""
    with pytest.raises(NoMonth, match="no month such as"):
        month_named(given, UTC)
