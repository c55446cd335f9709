"""The benchmark's command: `make bench`, or a quick look at some of it.

    python -m loadtest.bench [--quick] [--only spillgate,envoy] [--lanes closed32,streams50]
        [--rounds 5] [--seconds 5] [--report DIRECTORY] [--again RESULTS.json]

`--quick` is one round of two seconds on 32 connections. All of it goes to docs/benchmarks, some of
it only where `--report` says; `--again` writes the report of results that are there.

Exit code 0; 1 where a turn failed or counts do not agree; 2 where nothing could be measured.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from loadtest.bench import environments, report
from loadtest.bench.closed_loop import Generator
from loadtest.bench.contender import Contender
from loadtest.bench.contenders import CONTENDERS
from loadtest.bench.environments import ROOT, Missing, Tool
from loadtest.bench.lane_names import ALL, CLOSED
from loadtest.bench.machine import Cores, Unfit, described
from loadtest.bench.process import NotStarted, end_on_term
from loadtest.bench.results import About, Run
from loadtest.bench.rounds import Plan, turns
from loadtest.bench.turn import TurnFound

_WRONG: Final = 1
_FAILED: Final = 2
_INTERRUPTED: Final = 130
_REPORT: Final = ROOT / "docs" / "benchmarks"


def main(arguments: Sequence[str]) -> int:
    """Measure, report; the exit code."""
    asked = _options(arguments)
    if asked.again:
        report.write(Run.read(asked.again), asked.again.parent)
        return 0
    end_on_term()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as place:
            run = _measured(asked, Path(place))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (Missing, NotStarted, Unfit) as error:
        sys.stderr.write(f"bench: {error}\n")
        return _FAILED
    sys.stdout.write("\n" + "\n".join(report.verdict_lines(run)) + "\n")
    wrong = run.disagreements() + run.failures()
    sys.stdout.writelines(f"wrong: {each}\n" for each in wrong)
    return _WRONG if wrong else 0


def _measured(asked: argparse.Namespace, place: Path) -> Run:
    """The run, reported after each turn, so that little is lost with one that ends early."""
    left_out: dict[str, str] = {}
    plan = _plan(asked, place, left_out)
    run = Run(
        began=datetime.now(UTC).isoformat(" ", "seconds"),
        seconds=plan.seconds,
        rounds=plan.rounds,
        machine=described(),
        contenders={each.name: _about(each) for each in plan.contenders},
        left_out=left_out,
        turns=[],
    )
    for turn in turns(plan):
        run.turns.append(turn)
        _tell(turn)
        if asked.report:
            report.write(run, asked.report)
    return run


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench", allow_abbrev=False)
    names = ", ".join(each.name for each in CONTENDERS)
    parser.add_argument("--quick", action="store_true", help="one round of 2 s")
    parser.add_argument("--only", type=_names, help=f"some of {names}")
    parser.add_argument("--lanes", type=_names, help=f"some of {', '.join(ALL)}")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of each measurement")
    parser.add_argument("--checkout", type=Path, default=ROOT, help="whose gateway; default: this")
    parser.add_argument("--report", type=Path, help="a directory; of a whole run docs/benchmarks")
    parser.add_argument("--again", type=Path, help="the raw results of a run")
    asked = parser.parse_args(arguments)
    if not (asked.quick or asked.only or asked.lanes or asked.report):
        asked.report = _REPORT
    return asked


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _plan(asked: argparse.Namespace, place: Path, left_out: dict[str, str]) -> Plan:
    cores = Cores.of_this_machine()
    lanes = asked.lanes or ((CLOSED,) if asked.quick else ALL)
    return Plan(
        contenders=list(_prepared(asked.only, left_out)),
        lanes=[each for each in ALL if each in lanes],
        rounds=asked.rounds or (1 if asked.quick else 5),
        seconds=asked.seconds or (2.0 if asked.quick else 5.0),
        cores=cores,
        generator=Generator(_tool(left_out), cores.load, place),
        checkout=asked.checkout.resolve(),
        nginx=_nginx(left_out),
    )


def _prepared(only: Sequence[str] | None, left_out: dict[str, str]) -> Iterator[Contender]:
    """Those that can be had; why the others cannot goes into `left_out`."""
    for each in CONTENDERS:
        if only is None or each.name in only:
            try:
                each.prepare()
            except Missing as error:
                left_out[each.name] = str(error)
                sys.stderr.write(f"bench: {each.name} is left out: {error}\n")
            else:
                yield each


def _tool(left_out: dict[str, str]) -> Tool | None:
    """h2load, if it can be had: without it what the fastest can do is not found out."""
    try:
        return environments.h2load()
    except Missing as error:
        left_out["h2load"] = f"{error}. The driver, which is slower, stood in for it."
        return None


def _nginx(left_out: dict[str, str]) -> Path | None:
    """The upstream's, if it can be had."""
    try:
        return environments.nginx()
    except Missing as error:
        left_out["the upstream's nginx"] = f"{error}. A slower server answered instead."
        return None


def _about(contender: Contender) -> About:
    return About(contender.title, contender.does, contender.version(), contender.published())


def _tell(turn: TurnFound) -> None:
    for lane, figures in turn.lanes.items():
        told = "  ".join(f"{name} {value:,.4g}" for name, value in figures.items())
        sys.stdout.write(f"{turn.round + 1} {turn.contender:12} {lane:10} {told}\n")
    for each in (turn.agreement, turn.error):
        if each:
            sys.stdout.write(f"{turn.round + 1} {turn.contender:12} {each}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
