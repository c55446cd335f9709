"""What the benchmark's command is asked for, refused before anything starts if it cannot be."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from loadtest.bench.contenders import CONTENDERS
from loadtest.bench.environments import ROOT
from loadtest.bench.lane_names import ALL, CLOSED, OPEN
from loadtest.bench.results import Run

_REPORT: Final = ROOT / "docs" / "benchmarks"
_QUICK: Final = (1, 2.0)
_WHOLE: Final = (5, 5.0)


class Options(msgspec.Struct, frozen=True):
    """A run. `report` is where it is written; None: nowhere.

    Attributes:
        only: names of contenders, in no order.
        lanes: in theirs.
        checkout: whose gateway is measured.
        again: where raw results are, if only their report is to be written; and those.
    """

    only: frozenset[str]
    lanes: tuple[str, ...]
    rounds: int
    seconds: float
    checkout: Path
    report: Path | None
    again: tuple[Path, Run] | None


def read(arguments: Sequence[str]) -> Options:
    """Raises SystemExit with code 2, and says on standard error what is wrong."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    rounds, seconds = _QUICK if asked.quick else _WHOLE
    lanes = asked.lanes or ((CLOSED,) if asked.quick else ALL)
    only = frozenset(asked.only or (each.name for each in CONTENDERS))
    if OPEN in lanes and CLOSED not in lanes:
        parser.error(f"argument --lanes: {OPEN} needs {CLOSED}, which finds its rate")
    if not any(each.lanes & set(lanes) for each in CONTENDERS if each.name in only):
        parser.error(f"none of {', '.join(lanes)} is measured of {', '.join(sorted(only))}")
    is_whole = not (asked.quick or asked.only or asked.lanes)
    return Options(
        only,
        tuple(each for each in ALL if each in lanes),
        asked.rounds or rounds,
        asked.seconds or seconds,
        asked.checkout,
        asked.report or (_REPORT if is_whole else None),
        asked.again,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench", allow_abbrev=False)
    names = [each.name for each in CONTENDERS]
    add = parser.add_argument
    add("--quick", action="store_true", help="one round of 2 s")
    add("--only", type=_some_of(names), help=f"some of {', '.join(names)}")
    add("--lanes", type=_some_of(ALL), help=f"some of {', '.join(ALL)}")
    add("--rounds", type=_rounds, help="default: 5")
    add("--seconds", type=_seconds, help="of each measurement; default: 5")
    add("--checkout", type=_checkout, default=ROOT, help="whose gateway; default: this")
    add("--report", type=_directory, help="a directory; of a whole run docs/benchmarks")
    add("--again", type=_results, help="raw results whose report is written anew beside them")
    return parser


def _some_of(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    def names(text: str) -> tuple[str, ...]:
        asked = tuple(text.split(","))
        if unknown := [each for each in asked if each not in known]:
            raise argparse.ArgumentTypeError(
                f"there is no {', '.join(unknown)!r}, but {', '.join(known)}"
            )
        return asked

    return names


def _rounds(text: str) -> int:
    return int(_positive(text, int))


def _seconds(text: str) -> float:
    return _positive(text, float)


def _positive(text: str, kind: Callable[[str], float]) -> float:
    try:
        number = kind(text)
    except ValueError:
        number = 0
    if not 0 < number < float("inf"):
        what = "a whole number" if kind is int else "a number"
        raise argparse.ArgumentTypeError(f"{text!r} is not {what} above 0")
    return number


def _checkout(text: str) -> Path:
    path = Path(text).resolve()
    if not (path / "app" / "main.py").is_file():
        raise argparse.ArgumentTypeError(f"no checkout of this gateway: {path}")
    return path


def _directory(text: str) -> Path:
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"not a directory: {path}")
    return path


def _results(text: str) -> tuple[Path, Run]:
    path = Path(text)
    try:
        return path, Run.read(path)
    except (OSError, msgspec.MsgspecError) as error:
        raise argparse.ArgumentTypeError(f"no results of a run: {error}") from None
