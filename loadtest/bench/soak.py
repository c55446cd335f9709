"""`make soak`: whether memory and descriptors stay where they are, over half an hour of load.

    python -m loadtest.bench.soak [--minutes 30] [--checkout DIR]

Requests that come when they come, streams to their end, clients that leave in the middle of
theirs, and large prompts now and then, in stretches of ten seconds. Between two stretches memory
is looked at. What a gateway fills at first (caches, pools, the allocator's arenas) is not a leak:
the slope is that of the latter two thirds. Descriptors are compared at rest, after the first
stretch and after the last. Exit code 0; 1 where a bound is not kept; 2 where it did not run.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from loadtest.bench.contender import Bench, Running
from loadtest.bench.contenders.spillgate import SPILLGATE
from loadtest.bench.driver_spec import Arriving, LeaversLoad, Spec, StreamLoad
from loadtest.bench.driving import LoadFailed, drive
from loadtest.bench.environments import ROOT, Missing
from loadtest.bench.machine import Cores, Unfit, descriptor_kinds, descriptors
from loadtest.bench.process import NotStarted, end_on_term
from loadtest.bench.upstreams import upstreams

_BROKEN: Final = 1
_FAILED: Final = 2
_STRETCH_S: Final = 10.0
_REQUESTS_PER_S: Final = 100.0
_LARGE_PER_S: Final = 2.0
_LARGE_BYTES: Final = 100_000
_STREAMS: Final = 20
_LEAVERS: Final = 10
#: After the load, for what is still under way, and for idle connections, which are kept for 30 s
#: and looked at as often.
_REST_S: Final = 75.0
#: The part at the beginning that is not judged.
_SETTLES: Final = 1 / 3
_SLOPE_MB: Final = 1.0
_TEN_MINUTES: Final = 600.0


class Look(msgspec.Struct, frozen=True):
    """At one moment, in seconds from the beginning."""

    at: float
    rss_mb: float
    descriptors: int


class Judged(msgspec.Struct, frozen=True):
    """What came of it; `slope` is in MiB for ten minutes."""

    start_mb: float
    end_mb: float
    slope: float
    descriptors: tuple[int, int]

    def broken(self) -> list[str]:
        """Bounds that are not kept."""
        before, after = self.descriptors
        found = {
            f"{self.slope:+.2f} MB in 10 minutes, of {_SLOPE_MB:g}": self.slope > _SLOPE_MB,
            f"{after} descriptors after it, {before} before": after > before,
        }
        return [said for said, is_broken in found.items() if is_broken]


def judged(looks: Sequence[Look]) -> Judged:
    """Of at least five looks: before any load, at rest after a little of it, ..., at rest again."""
    first, rested, *during, last = looks
    settled = during[round(len(during) * _SETTLES) :]
    slope = statistics.linear_regression(
        [each.at for each in settled], [each.rss_mb for each in settled]
    ).slope
    return Judged(
        first.rss_mb,
        last.rss_mb,
        slope * _TEN_MINUTES,
        (rested.descriptors, last.descriptors),
    )


def main(arguments: Sequence[str]) -> int:
    """Load, look, judge; the exit code."""
    asked = _options(arguments)
    end_on_term()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as place:
            found = judged(_looked(asked, Path(place)))
    except (Missing, NotStarted, Unfit, LoadFailed) as error:
        sys.stderr.write(f"soak: {error}\n")
        return _FAILED
    before, after = found.descriptors
    sys.stdout.write(f"at start {found.start_mb:.0f} MB, at the end {found.end_mb:.0f} MB\n")
    sys.stdout.write(f"slope {found.slope:+.2f} MB in 10 minutes\n")
    sys.stdout.write(f"descriptors {before} before, {after} after\n")
    sys.stdout.writelines(f"NOT KEPT: {each}\n" for each in found.broken())
    return _BROKEN if found.broken() else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench.soak", allow_abbrev=False)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--checkout", type=Path, default=ROOT, help="whose gateway; default: this")
    return parser.parse_args(arguments)


def _looked(asked: argparse.Namespace, place: Path) -> list[Look]:
    cores = Cores.of_this_machine()
    with upstreams(cores, place, None) as both:
        checkout = asked.checkout.resolve()
        bench = Bench(cores, both.answers_port, both.streams_port, place, checkout)
        with SPILLGATE.start(bench) as gateway:
            return _soaked(gateway, cores, asked.minutes * 60)


def _soaked(gateway: Running, cores: Cores, seconds: float) -> list[Look]:
    began = time.monotonic()
    looks = [_look(gateway, began)]
    drive(_stretch(gateway, 0), cores.load)
    time.sleep(_REST_S)
    looks.append(_look(gateway, began))
    before = descriptor_kinds(gateway.pids)
    while time.monotonic() - began < seconds:
        drive(_stretch(gateway, len(looks)), cores.load)
        looks.append(_look(gateway, began))
    time.sleep(_REST_S)
    after = descriptor_kinds(gateway.pids)
    sys.stdout.writelines(f"more of: {each}\n" for each in after - before)
    return [*looks, _look(gateway, began)]


def _stretch(gateway: Running, number: int) -> Spec:
    return Spec(
        _STRETCH_S,
        [
            Arriving(gateway.asked(), _REQUESTS_PER_S, connections=32),
            Arriving(gateway.asked(_LARGE_BYTES), _LARGE_PER_S, connections=4),
        ],
        StreamLoad(gateway.stream_asked(), _STREAMS),
        LeaversLoad(gateway.stream_asked(), _LEAVERS),
        seed=number,
    )


def _look(gateway: Running, began: float) -> Look:
    found = Look(time.monotonic() - began, gateway.rss_mb(), descriptors(gateway.pids))
    sys.stdout.write(
        f"{found.at:6.0f} s  {found.rss_mb:7.1f} MB  {found.descriptors} descriptors\n"
    )
    sys.stdout.flush()
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
