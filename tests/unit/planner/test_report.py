from __future__ import annotations

from app.domain.quota.usage import Usage
from app.planner.outcome import Outcome, Tally
from app.planner.report import (
    as_markdown,
    as_text,
    heading,
    scenario_table,
    summary_table,
)
from app.planner.scenarios import scenarios

OUTCOME = Outcome(
    Tally(
        requests=2_000,
        tokens=1_000,
        spilled_tokens=250,
        refused=1_500,
        kept_back_rightly=30,
        kept_back_wrongly=10,
        served=800.0,
    ),
    capacity=1_000.0,
    used=900.0,
    bill=Usage(input=1_000_000),
    round_trip_s=0.05,
)


def test_a_scenarios_table_has_a_row_for_each_strategy() -> None:
    """Every figure with its unit in the heading."""
    table = scenario_table({"this": OUTCOME}, as_markdown).splitlines()
    assert table[0].startswith("| strategy | PTU utilisation | of it ours | spilled tokens |")
    assert table[2] == (
        "| this | 90.00% | 80.00% | 25.00% | 1,500 | 50 | 37.50 | 2.50 | 75.0% | 2.0% |"
    )


def test_the_summary_has_scenarios_down_and_strategies_across() -> None:
    """Wasted round trips, and at which utilisation."""
    table = summary_table({"a/right": {"x": OUTCOME, "y": OUTCOME}}, as_markdown).splitlines()
    assert table[0] == "| scenario | x | y |"
    assert table[2] == "| a/right | 1,500 at 90.00% | 1,500 at 90.00% |"


def test_plain_text_is_aligned() -> None:
    """Names to the left, figures to the right."""
    assert as_text(("name", "n"), [("a", "10"), ("longer", "5")]).splitlines() == [
        "name     n",
        "a       10",
        "longer   5",
    ]


def test_the_heading_says_what_was_simulated() -> None:
    """Scenario, size, length and seed: what it takes to make the table again."""
    scenario = scenarios("few-large/right")[0]
    assert heading(scenario, {"this": OUTCOME}) == (
        "few-large/right: 15 PTUs, 2,000 requests in 48 h, seed 7"
    )
