"""How far apart prompts, and answers, may be."""

from __future__ import annotations

import pytest

from app.domain.cache.thresholds import (
    THRESHOLDS,
    UNMEASURED,
    compared_threshold_of,
    threshold_of,
)


def test_an_unmeasured_embedder_gets_a_careful_threshold() -> None:
    """What nobody has measured is kept closer than what was."""
    assert threshold_of("somebody's") == UNMEASURED < min(THRESHOLDS.values())


@pytest.mark.parametrize("embedder", [*THRESHOLDS, "somebody's"])
def test_where_no_guard_reads_the_distance_is_stricter(embedder: str) -> None:
    """Answers are compared by distance alone, so it has to be smaller than with guards."""
    assert 0 < compared_threshold_of(embedder) < threshold_of(embedder)
