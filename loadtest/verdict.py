"""Judges the statistics of a run: `python -m loadtest.verdict STATS.json [--limits LIMITS.toml]`.

The statistics are what Locust writes with `--json-file`: of the whole run, to the last request. Its
CSV files end up to a second before it does.

Exit code 0: every limit is kept; 1: at least one is not, and which is said; 2: the statistics or
the limits cannot be read.

Limits are a TOML file. A table is for the rows whose type and name, as in `TTFT chat`, match its
key, in which `*` stands for anything:

    ["TTFT *"]
    p95 = 2000        # median, average, p95, p99, max: milliseconds, at most
    failures = 0.01   # part of the requests, at most
    at_least = 10     # requests of all rows that match, together
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

_KEPT: Final = 0
_BROKEN: Final = 1
_UNREADABLE: Final = 2
_HERE: Final = Path(__file__).parent / "limits.toml"

#: Limits of times, and how many percent of the requests have to keep to them.
_PERCENT: Final[Mapping[str, int]] = {"median": 50, "p95": 95, "p99": 99, "max": 100}
_AVERAGE: Final = "average"
_FAILURES: Final = "failures"
_AT_LEAST: Final = "at_least"


class Unreadable(Exception):
    """Statistics or limits are not what they should be; says which, and where."""


@dataclass(frozen=True, slots=True)
class Row:
    """Requests of one type and name; times in milliseconds by kind of limit."""

    name: str
    requests: int
    failed: int
    times: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Limit:
    """What the rows that match `pattern` have to keep to."""

    pattern: str
    kind: str
    bound: float


@dataclass(frozen=True, slots=True)
class Finding:
    """A limit and what was found; `kept` or not."""

    limit: Limit
    row: str
    found: float
    kept: bool

    def __str__(self) -> str:
        sign = ">=" if self.limit.kind == _AT_LEAST else "<="
        verdict = "ok  " if self.kept else "FAIL"
        bound = f"{self.limit.kind} {sign} {self.limit.bound:g}"
        return f"{verdict}  {self.row}: {self.found:g}  ({bound}, [{self.limit.pattern}])"


def read_statistics(text: str) -> list[Row]:
    """Rows of what Locust's `--json-file` wrote. Raises Unreadable."""
    try:
        return [_row(entry) for entry in json.loads(text)]
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        kind = type(error).__name__
        message = f"statistics: not what Locust's --json-file writes: {kind}: {error}"
        raise Unreadable(message) from None


def read_limits(text: str) -> list[Limit]:
    """The limits of a TOML file. Raises Unreadable."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Unreadable(f"limits: {error}") from None
    return [limit for pattern, table in tables.items() for limit in _limits(pattern, table)]


def limits_of(path: Path) -> list[Limit]:
    """Those of a file. Raises Unreadable."""
    return read_limits(_text(path))


def judge(rows: Sequence[Row], limits: Sequence[Limit]) -> list[Finding]:
    """Every limit on every row that it is for; one for which there is no row is not kept.

    `at_least = 0` is no limit, but makes rows optional.
    """
    return [finding for limit in limits for finding in _found(limit, limits, rows)]


def main(arguments: Sequence[str]) -> int:
    """Say what was found; the exit code."""
    options = _options(arguments)
    try:
        rows = read_statistics(_text(options.statistics))
        findings = judge(rows, limits_of(options.limits))
    except Unreadable as error:
        sys.stderr.write(f"loadtest.verdict: {error}\n")
        return _UNREADABLE
    broken = [finding for finding in findings if not finding.kept]
    sys.stdout.write("\n".join([*_table(rows), "", ""]))
    for finding in findings:
        sys.stdout.write(f"{finding}\n")
    sys.stdout.write(f"{len(findings) - len(broken)} limits kept, {len(broken)} not\n")
    return _BROKEN if broken else _KEPT


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.verdict")
    parser.add_argument("statistics", type=Path, help="what --json-file wrote")
    parser.add_argument("--limits", type=Path, default=_HERE, help="a TOML file; ours by default")
    return parser.parse_args(arguments)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path}: {error}") from None


def _row(entry: Mapping[str, Any]) -> Row:
    requests = int(entry["num_requests"])
    counted = sorted((float(time), int(count)) for time, count in entry["response_times"].items())
    times = {kind: _percentile(counted, percent) for kind, percent in _PERCENT.items()}
    times[_AVERAGE] = entry["total_response_time"] / max(1, requests)
    name = f"{entry['method'] or ''} {entry['name']}".strip()
    return Row(name, requests, int(entry["num_failures"]), times)


def _percentile(counted: Sequence[tuple[float, int]], percent: int) -> float:
    """The nearest rank: the least time that so many percent of the requests did not exceed."""
    wanted = math.ceil(percent * sum(count for _, count in counted) / 100)
    ranks = accumulate(count for _, count in counted)
    reached = (time for (time, _), rank in zip(counted, ranks, strict=True) if rank >= wanted)
    return next(reached, 0.0)


def _table(rows: Sequence[Row]) -> Iterator[str]:
    """What was measured, in lines."""
    width = max((len(row.name) for row in rows), default=0)
    yield f"{'':{width}}  requests  failed   median      p95      p99  (ms)"
    for row in sorted(rows, key=lambda row: row.name.split(" ", 1)[-1]):
        times = "".join(f"{row.times[kind]:9g}" for kind in ("median", "p95", "p99"))
        yield f"{row.name:{width}}  {row.requests:8}  {row.failed:6}{times}"


def _limits(pattern: str, table: object) -> Iterator[Limit]:
    if not isinstance(table, dict) or not table:
        raise Unreadable(f"limits: [{pattern}] has to be a table of limits")
    known = {*_PERCENT, _AVERAGE, _FAILURES, _AT_LEAST}
    for kind, bound in table.items():
        if kind not in known:
            raise Unreadable(f"limits: [{pattern}] {kind}: there are: {', '.join(sorted(known))}")
        if isinstance(bound, bool) or not isinstance(bound, int | float) or bound < 0:
            raise Unreadable(f"limits: [{pattern}] {kind}: not a number of 0 or more: {bound!r}")
        yield Limit(pattern, kind, bound)


def _found(limit: Limit, limits: Sequence[Limit], rows: Sequence[Row]) -> Iterator[Finding]:
    matching = [row for row in rows if fnmatchcase(row.name, limit.pattern) and row.requests]
    if limit.kind == _AT_LEAST:
        if not limit.bound:
            return
        requests = sum(row.requests for row in matching)
        yield Finding(limit, "requests", requests, kept=requests >= limit.bound)
        return
    for row in matching:
        found = row.failed / row.requests if limit.kind == _FAILURES else row.times[limit.kind]
        yield Finding(limit, row.name, found, kept=found <= limit.bound)
    counted = any(each.pattern == limit.pattern and each.kind == _AT_LEAST for each in limits)
    if not matching and not counted:
        yield Finding(limit, "no such row", 0, kept=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
