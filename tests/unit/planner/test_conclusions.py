from __future__ import annotations

import pytest

from app.domain.quota.usage import Usage
from app.planner.conclusions import sums, verdicts
from app.planner.outcome import Outcome, Tally, summed
from app.planner.report import as_markdown
from tests.fakes.changed import replace

SHARED, EACH = "retry-after, shared", "retry-after, per replica"
OURS, FAIR, INFORMED = "shadow bucket", "shadow bucket, fair shares", "informed"


def outcome(refused: int, utilization: float = 0.9, size: int = 1) -> Outcome:
    tally = Tally(requests=1000, tokens=1000 * size, spilled_tokens=250, refused=refused)
    used = utilization * 1000 * size
    return Outcome(tally, 1000.0 * size, used, Usage(input=1_000_000), round_trip_s=0.05)


def cell(ours: Outcome, informed: Outcome | None = None) -> dict[str, Outcome]:
    """Beside baselines of which the one for all replicas is refused less often."""
    found = {SHARED: outcome(100), EACH: outcome(200, 0.95), OURS: ours, FAIR: outcome(0)}
    return found | {INFORMED: informed or outcome(0)}


def test_the_verdicts_name_what_is_short_and_what_an_informed_one_does() -> None:
    """Beside that one alone; the last lines count."""
    results = {"a/right": cell(outcome(3)), "a/wrong": cell(outcome(30, 0.88), outcome(20, 0.85))}
    *_, header, _rule, right, wrong, _blank, ours, fair = verdicts(results, as_markdown).split("\n")
    assert header == f"| scenario | a tenth | {OURS} | verdict | {FAIR} | verdict | {INFORMED} |"
    assert right == "| a/right | 10.0 | 3 (97.0%), +0.00 | met | 0 (100.0%), +0.00 | met |  |"
    assert wrong == (
        "| a/wrong | 10.0 | 30 (70.0%), -2.00 | short | 0 (100.0%), +0.00 | met | "
        "20 (80.0%), -5.00: short |"
    )
    assert (ours, fair) == (f"{OURS}: met in 1 of 2; short in a/wrong", f"{FAIR}: met in 2 of 2")


def test_without_a_baseline_or_the_informed_there_is_no_verdict() -> None:
    """As with `--strategy shadow`."""
    whole = cell(outcome(3))
    for missing in ({OURS, FAIR}, {INFORMED}, {SHARED, EACH}):
        some = {name: each for name, each in whole.items() if name not in missing}
        assert verdicts({"a/right": some}, as_markdown) == ""


def test_a_sum_counts_each_kind_by_its_size() -> None:
    """Three times the PTUs at 80 % and once at 60 % are 75 %; money is money."""
    together = summed([outcome(5, 0.8, size=3), outcome(7, 0.6)])
    assert together.tally.refused == 12
    assert together.utilization == pytest.approx(0.75)
    assert together.spilled == pytest.approx(500 / 4000)
    assert together.usd == pytest.approx(5.0)


def test_sums_are_marked_and_by_calibration() -> None:
    """A table for each figure, a row for each calibration that all kinds of traffic have."""
    one, other = {"x": outcome(5)}, {"x": outcome(7, 0.7)}
    text = sums({"a/right": one, "a/wrong": one, "b/right": other}, as_markdown)
    assert text.startswith("Sums over all kinds of traffic (a + b), by calibration.")
    for figure, value in {
        "wasted round trips": "12",
        "PTU utilisation": "80.00%",
        "spilled tokens": "25.00%",
        "PAYGO $": "5.00",
    }.items():
        assert f"| sum: {figure} | x |\n| --- | --: |\n| all/right | {value} |" in text
    assert "wrong" not in text
    assert sums({"a/right": one, "a/wrong": replace_all(one)}, as_markdown) == ""


def replace_all(outcomes: dict[str, Outcome]) -> dict[str, Outcome]:
    return {name: replace(each, round_trip_s=0.1) for name, each in outcomes.items()}
