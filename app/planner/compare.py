"""`python -m app.planner.compare`: simulates scenarios for all strategies and prints the tables."""

from __future__ import annotations

import os
import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final, NoReturn

from app.planner.conclusions import sums, verdicts
from app.planner.contenders import CAUTIOUS, CONTENDERS
from app.planner.page import renewed
from app.planner.report import (
    Outcomes,
    Render,
    as_markdown,
    as_text,
    heading,
    scenario_table,
    summary_table,
)
from app.planner.scenarios import Scenario, scenarios
from app.planner.simulate import simulate

_WELL_CALIBRATED: Final = "/right"
_UNKNOWN: Final = 2
_TERMINATED: Final = 143


def compare(arguments: Sequence[str], write: Callable[[str], object]) -> int:
    """Tables go to `write` as they are ready; the exit code."""
    asked = _parser().parse_args(arguments)
    if asked.page is None:
        return _compared(asked, write)
    printed: list[str] = []

    def both(text: str) -> None:
        printed.append(text)
        write(text)

    code = _compared(asked, both)
    if code == 0:
        asked.page.write_text(renewed(asked.page.read_text(), "".join(printed)))
    return code


def _compared(asked: Namespace, write: Callable[[str], object]) -> int:
    chosen = scenarios(asked.scenario, hours=asked.hours, seed=asked.seed)
    known = {**CONTENDERS, **CAUTIOUS} if asked.cautious else CONTENDERS
    names = [name for name in known if any(part in name for part in asked.strategy or ("",))]
    if not chosen or not names:
        every = ", ".join(scenario.name for scenario in scenarios())
        write(f"no such scenario or strategy; scenarios: {every}; strategies: {list(known)}\n")
        return _UNKNOWN
    render = as_markdown if asked.markdown or asked.page else as_text
    results: dict[str, Outcomes] = {}
    with _simulated(chosen, names, asked.jobs) as simulated:
        for scenario, outcomes in zip(chosen, simulated, strict=True):
            results[scenario.name] = outcomes
            if _is_shown(scenario, asked) or len(chosen) == 1:
                write(f"{heading(scenario, outcomes)}\n\n{scenario_table(outcomes, render)}\n\n")
    _conclude(results, render, write)
    return 0


def outcomes_of(scenario: Scenario, names: Sequence[str]) -> Outcomes:
    """Of the strategies with these names."""
    known = {**CONTENDERS, **CAUTIOUS}
    return {name: simulate(scenario, known[name]) for name in names}


@contextmanager
def _simulated(
    chosen: Sequence[Scenario], names: Sequence[str], jobs: int
) -> Iterator[Iterator[Outcomes]]:
    """Outcomes of each scenario in turn, computed by so many processes."""
    work = partial(outcomes_of, names=names)
    if min(jobs, len(chosen)) < 2:  # noqa: PLR2004  # one process is this one
        yield map(work, chosen)
        return
    with get_context("spawn").Pool(min(jobs, len(chosen))) as pool:  # left at once, all are ended
        yield pool.imap(work, chosen)


def _is_shown(scenario: Scenario, asked: Namespace) -> bool:
    return bool(asked.full) or scenario.name.endswith(_WELL_CALIBRATED)


def _conclude(results: dict[str, Outcomes], render: Render, write: Callable[[str], object]) -> None:
    """What is to be said of all scenarios."""
    if len(results) > 1:
        write(f"Wasted round trips, at PTU utilisation\n\n{summary_table(results, render)}\n")
        for told in (sums(results, render), verdicts(results, render)):
            if told:
                write(f"\n{told}\n")


def _usable_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _parser() -> ArgumentParser:
    parser = ArgumentParser("python -m app.planner.compare", description=__doc__)
    parser.add_argument("--scenario", default="", help="those whose name begins so; default: all")
    wanted = "those whose name has this, or another one given so; default: all"
    parser.add_argument("--strategy", action="append", help=wanted)
    parser.add_argument("--hours", type=float, help="simulated time; default: each scenario's own")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--full", action="store_true", help="a table for each scenario")
    parser.add_argument("--cautious", action="store_true", help="also wider margins, informed")
    parser.add_argument("--jobs", type=int, default=_usable_cpus(), help="default: one a processor")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--page", type=Path, help="a page whose tables are to be these")
    return parser


def _told_to_end(*_: object) -> NoReturn:
    sys.exit(_TERMINATED)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _told_to_end)  # so that no other process is left behind
    sys.exit(compare(sys.argv[1:], sys.stdout.write))
