"""`python -m app.planner.compare`: simulates scenarios for all strategies and prints the tables."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Sequence

from app.planner.contenders import CONTENDERS
from app.planner.report import (
    Outcomes,
    as_markdown,
    as_text,
    heading,
    scenario_table,
    summary_table,
)
from app.planner.scenarios import Scenario, scenarios
from app.planner.simulate import simulate

_WELL_CALIBRATED = "/right"
_UNKNOWN = 2


def compare(arguments: Sequence[str], write: Callable[[str], object]) -> int:
    """Tables go to `write` as they are ready; the exit code."""
    asked = _parser().parse_args(arguments)
    chosen = scenarios(asked.scenario, hours=asked.hours, seed=asked.seed)
    names = [name for name in CONTENDERS if asked.strategy in name]
    if not chosen or not names:
        known = ", ".join(scenario.name for scenario in scenarios())
        write(f"no such scenario or strategy; scenarios: {known}; strategies: {list(CONTENDERS)}\n")
        return _UNKNOWN
    render = as_markdown if asked.markdown else as_text
    results: dict[str, Outcomes] = {}
    for scenario in chosen:
        outcomes = results[scenario.name] = outcomes_of(scenario, names)
        if asked.full or len(chosen) == 1 or scenario.name.endswith(_WELL_CALIBRATED):
            write(f"{heading(scenario, outcomes)}\n\n{scenario_table(outcomes, render)}\n\n")
    if len(chosen) > 1:
        write(f"Wasted round trips, at PTU utilisation\n\n{summary_table(results, render)}\n")
    return 0


def outcomes_of(scenario: Scenario, names: Sequence[str]) -> Outcomes:
    return {name: simulate(scenario, CONTENDERS[name]) for name in names}


def _parser() -> ArgumentParser:
    parser = ArgumentParser("python -m app.planner.compare", description=__doc__)
    parser.add_argument("--scenario", default="", help="those whose name begins so; default: all")
    parser.add_argument("--strategy", default="", help="those whose name has this; default: all")
    parser.add_argument("--hours", type=float, help="simulated time; default: each scenario's own")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--full", action="store_true", help="a table for each scenario")
    parser.add_argument("--markdown", action="store_true")
    return parser


if __name__ == "__main__":
    sys.exit(compare(sys.argv[1:], sys.stdout.write))
