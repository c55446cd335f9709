"""`make bench-memory`: resident memory of each process of a gateway that has just started.

    python -m loadtest.bench.memory [--workers 1 2] [--starts 3] [--checkout DIR] [--plain]

Started as the benchmark starts it, with all on that a production configuration has on; `--plain`
leaves traces out. Medians over the starts, in MiB: `resident` is what the benchmark reads, `share`
the same with a page counted to each by how many have it (Pss), `private` what no other process
has, and `anonymous` what no file is behind.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from loadtest.bench.contender import Bench
from loadtest.bench.contenders.spillgate import started
from loadtest.bench.environments import ROOT, Missing
from loadtest.bench.machine import Cores, Unfit, processes_of, rolled_up
from loadtest.bench.process import NotStarted, end_on_term, free_port

_FAILED: Final = 2
_KINDS: Final = {
    "resident": ("Rss",),
    "share": ("Pss",),
    "private": ("Private_Clean", "Private_Dirty"),
    "anonymous": ("Anonymous",),
}


class Found(msgspec.Struct, frozen=True):
    """One process, in MiB by kind."""

    role: str  # worker, admin: the one that keeps workers; only: the one that does all
    mb: dict[str, float]


def main(arguments: Sequence[str]) -> int:
    """Start, look, tell; the exit code."""
    asked = _options(arguments)
    end_on_term()
    try:
        for workers in asked.workers:
            looks = [each for _ in range(asked.starts) for each in _look(workers, asked)]
            sys.stdout.writelines(told(workers, looks))
            sys.stdout.flush()
    except (Missing, NotStarted, Unfit) as error:
        sys.stderr.write(f"memory: {error}\n")
        return _FAILED
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench.memory", allow_abbrev=False)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--checkout", type=Path, default=ROOT, help="whose gateway; default: this")
    parser.add_argument("--plain", action="store_true", help="without traces")
    return parser.parse_args(arguments)


def _look(workers: int, asked: argparse.Namespace) -> list[Found]:
    """Nothing is asked of it, so that nobody need stand where its deployments are."""
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        cores, checkout = Cores.of_this_machine(), asked.checkout.resolve()
        bench = Bench(cores, free_port(), free_port(), Path(place), checkout)
        without = ("tracing",) if asked.plain else ()
        with started(bench, workers=workers, without=without) as gateway:
            (first,) = gateway.pids
            return [_found(pid, first, workers) for pid in processes_of(first)]


def _found(pid: int, first: int, workers: int) -> Found:
    role = "worker" if pid != first else ("admin" if workers > 1 else "only")
    kinds = rolled_up(pid)
    return Found(role, {name: sum(kinds[each] for each in of) for name, of in _KINDS.items()})


def told(workers: int, looks: Sequence[Found]) -> Iterator[str]:
    """A line for each role that was seen."""
    by_role = defaultdict(list)
    for each in looks:
        by_role[each.role].append(each.mb)
    for role, found in sorted(by_role.items()):
        medians = {name: statistics.median(mb[name] for mb in found) for name in _KINDS}
        figures = "  ".join(f"{name} {mb:6.1f}" for name, mb in medians.items())
        yield f"workers {workers}  {role:<6}  {figures}  ({len(found)} looks)\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
