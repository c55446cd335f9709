from __future__ import annotations

from pathlib import Path

from loadtest.bench.quantiles import Spread
from loadtest.bench.results import Run
from tests.loadtest.bench.runs import run, turn


def closed(per_s: float, **more: float) -> dict[str, float]:
    return {"per_s": per_s, **more}


def test_a_round_with_a_slow_upstream_does_not_count() -> None:
    """Four times as fast as the gateway counts, a little less does not, for anybody."""
    found = run(
        turn("direct", 0, closed32=closed(4000)),
        turn("envoy", 0, closed32=closed(3000)),
        turn("spillgate", 0, closed32=closed(1000)),
        turn("direct", 1, closed32=closed(3999)),
        turn("envoy", 1, closed32=closed(9)),
        turn("spillgate", 1, closed32=closed(1000)),
    )
    assert (found.too_slow, found.counting) == ([1], [0])
    assert found.figure("envoy", "closed32", "per_s") == {0: 3000}


def test_without_direct_every_round_counts() -> None:
    """What was not measured decides nothing."""
    found = run(turn("spillgate", 0, closed32=closed(1000)), turn("spillgate", 1))
    assert found.counting == [0, 1]
    assert found.spread("spillgate", "closed32", "per_s") == Spread(1000, 1000, 1000)
    assert found.spread("spillgate", "one", "p50") is None


def test_what_went_wrong_is_told_by_round_and_name() -> None:
    """Counts that differ, answers that failed in any lane."""
    found = run(
        turn("spillgate", 0, differs=[]),
        turn("spillgate", 1, differs=["ledger 9, expected 10"]),
        turn("litellm", 1, one=closed(5, failed=3), large={"beside_100000_failed": 1.0}),
    )
    assert found.disagreements() == ["round 2, spillgate: ledger 9, expected 10"]
    assert found.failures() == [
        "round 2, litellm, one: 3 failed",
        "round 2, litellm, large: 1 beside_100000_failed",
    ]


def test_raw_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    """So that a report can be written again."""
    found = run(turn("spillgate", 0, differs=[], closed32=closed(7.5)), portkey="no Node")
    found.write(tmp_path / "results.json")
    assert Run.read(tmp_path / "results.json") == found
