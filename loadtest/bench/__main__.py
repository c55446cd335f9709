"""The benchmark's command: `make bench`, or a quick look at some of it.

    python -m loadtest.bench [--quick] [--only spillgate,envoy] [--lanes closed32,streams50]
        [--rounds 5] [--seconds 5] [--report DIRECTORY] [--again RESULTS.json]

`--quick` is one round of two seconds on 32 connections. All of it goes to docs/benchmarks, some of
it only where `--report` says; `--again` writes the report of results that are there.

Exit code 0, whatever the figures are; 1 where a turn failed or counts do not agree; 2 where it was
asked for what there is not, or nothing could be measured.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from loadtest.bench import environments, options, report
from loadtest.bench.closed_loop import Generator
from loadtest.bench.contender import Contender
from loadtest.bench.contenders import CONTENDERS
from loadtest.bench.environments import Missing, Tool
from loadtest.bench.machine import Cores, Unfit, described
from loadtest.bench.options import Options
from loadtest.bench.process import NotStarted, end_on_term
from loadtest.bench.results import About, Run
from loadtest.bench.rounds import Plan, turns
from loadtest.bench.turn import TurnFound

_WRONG: Final = 1
_FAILED: Final = 2
_INTERRUPTED: Final = 130


def main(arguments: Sequence[str]) -> int:
    """Measure, report; the exit code."""
    asked = options.read(arguments)
    if asked.again:
        path, run = asked.again
        report.write(run, path.parent)
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


def _measured(asked: Options, place: Path) -> Run:
    """The run, reported after each turn, so that little is lost with one that ends early."""
    left_out: dict[str, str] = {}
    plan = _plan(asked, place, left_out)
    if not plan.contenders:
        raise Missing("none of those asked for can be had")
    run = Run(
        began=datetime.now(UTC).isoformat(" ", "seconds"),
        seconds=plan.seconds,
        rounds=plan.rounds,
        machine=described(),
        contenders={each.name: _about(each, plan.checkout) for each in plan.contenders},
        left_out=left_out,
        turns=[],
    )
    for turn in turns(plan):
        run.turns.append(turn)
        _tell(turn)
        if asked.report:
            report.write(run, asked.report)
    return run


def _plan(asked: Options, place: Path, left_out: dict[str, str]) -> Plan:
    cores = Cores.of_this_machine()
    return Plan(
        contenders=list(_prepared(asked, left_out)),
        lanes=asked.lanes,
        rounds=asked.rounds,
        seconds=asked.seconds,
        cores=cores,
        generator=Generator(_tool(left_out), cores.load, place),
        checkout=asked.checkout,
        nginx=_nginx(left_out),
    )


def _prepared(asked: Options, left_out: dict[str, str]) -> Iterator[Contender]:
    """Those that can be had and are measured at something; why others are not, in `left_out`."""
    for each in CONTENDERS:
        if each.name in asked.only:
            try:
                _prepare(each, asked.lanes)
            except Missing as error:
                left_out[each.name] = str(error)
                sys.stderr.write(f"bench: {each.name} is left out: {error}\n")
            else:
                yield each


def _prepare(contender: Contender, lanes: Sequence[str]) -> None:
    if not contender.lanes & set(lanes):
        raise Missing(f"none of {', '.join(lanes)} is measured of it")
    contender.prepare()


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


def _about(contender: Contender, checkout: Path) -> About:
    return About(
        contender.title, contender.does, contender.version(checkout), contender.published()
    )


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
