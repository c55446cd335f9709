"""The benchmark's command: `make bench`, or a quick look at some of it.

    python -m loadtest.bench [--quick] [--only spillgate,envoy] [--lanes closed32,streams50]
        [--rounds 5] [--seconds 5] [--report docs/benchmarks]

`--quick` is one round of two seconds on 32 connections, and writes nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from loadtest.bench import environments
from loadtest.bench.closed_loop import Generator
from loadtest.bench.contender import Contender
from loadtest.bench.contenders import CONTENDERS
from loadtest.bench.environments import Missing
from loadtest.bench.lane_names import ALL, CLOSED
from loadtest.bench.machine import Cores, Unfit
from loadtest.bench.process import NotStarted
from loadtest.bench.rounds import Plan, turns
from loadtest.bench.turn import TurnFound

_FAILED = 2


def main(arguments: Sequence[str]) -> int:
    """Measure, report; the exit code."""
    asked = _options(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as place:
            list(turns(_plan(asked, Path(place)), _tell))
    except (Missing, NotStarted, Unfit) as error:
        sys.stderr.write(f"bench: {error}\n")
        return _FAILED
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench", allow_abbrev=False)
    names = ", ".join(each.name for each in CONTENDERS)
    parser.add_argument("--quick", action="store_true", help="one round of 2 s, nothing written")
    parser.add_argument("--only", type=_names, help=f"some of {names}")
    parser.add_argument("--lanes", type=_names, help=f"some of {', '.join(ALL)}")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--checkout", type=Path, default=environments.ROOT, help="whose gateway")
    return parser.parse_args(arguments)


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _plan(asked: argparse.Namespace, place: Path) -> Plan:
    cores = Cores.of_this_machine()
    lanes = asked.lanes or ((CLOSED,) if asked.quick else ALL)
    return Plan(
        contenders=_contenders(asked.only),
        lanes=[each for each in ALL if each in lanes],
        rounds=asked.rounds or (1 if asked.quick else 5),
        seconds=asked.seconds or (2.0 if asked.quick else 5.0),
        cores=cores,
        generator=Generator(environments.h2load(), cores.load, place),
        checkout=asked.checkout.resolve(),
    )


def _contenders(only: Sequence[str] | None) -> list[Contender]:
    found = [each for each in CONTENDERS if only is None or each.name in only]
    for each in found:
        each.prepare()
    return found


def _tell(turn: TurnFound) -> None:
    for lane, figures in turn.lanes.items():
        told = "  ".join(f"{name} {value:,.4g}" for name, value in figures.items())
        sys.stdout.write(f"{turn.round} {turn.contender:12} {lane:10} {told}\n")
    if turn.agreement:
        sys.stdout.write(f"{turn.round} {turn.contender:12} agreement  {turn.agreement}\n")
    if turn.error:
        sys.stdout.write(f"{turn.round} {turn.contender:12} error: {turn.error}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
