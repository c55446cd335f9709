"""`make bench-profile`: where a request's microseconds go, by module of this gateway.

    python -m loadtest.bench.profile [--seconds 10] [--streams 50] [--raw FILE] [--checkout DIR]

py-spy looks at the gateway under the benchmark's load. Its samples are dealt to the innermost
module of ours that is at work; what runs without one is the library's. The whole is the processor
time of such requests just before, so that shares become microseconds without py-spy's own. Only
who holds the interpreter is looked at: what runs beside it, such as a thread that compresses, is
in the whole, but in no share.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from loadtest.bench import environments
from loadtest.bench.closed_loop import Generator
from loadtest.bench.contender import Bench
from loadtest.bench.contenders.spillgate import SPILLGATE
from loadtest.bench.driver_spec import Spec, StreamLoad
from loadtest.bench.driving import LoadFailed
from loadtest.bench.environments import ROOT, Missing
from loadtest.bench.machine import Cores, Unfit
from loadtest.bench.process import NotStarted, end_on_term, pinned
from loadtest.bench.samples import shares
from loadtest.bench.turn import Turn
from loadtest.bench.upstreams import upstreams

_FAILED: Final = 2
_CONNECTIONS: Final = 32
_RATE: Final = 250
#: Rows of less than this are summed up.
_LEAST: Final = 0.005


def main(arguments: Sequence[str]) -> int:
    """Measure, and print the table; the exit code."""
    asked = _options(arguments)
    end_on_term()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as place:
            _profile(asked, Path(place))
    except (Missing, NotStarted, Unfit, LoadFailed) as error:
        sys.stderr.write(f"bench: {error}\n")
        return _FAILED
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench.profile", allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--streams", type=int, default=0, help="so many streams instead of answers")
    parser.add_argument("--raw", type=Path, help="keep py-spy's own output, for flame graphs")
    parser.add_argument("--checkout", type=Path, default=ROOT, help="whose gateway; default: this")
    return parser.parse_args(arguments)


def _profile(asked: argparse.Namespace, place: Path) -> None:
    cores, raw = Cores.of_this_machine(), (asked.raw or place / "raw").resolve()
    generator = Generator(environments.h2load(), cores.load, place)
    with upstreams(cores, place, environments.nginx()) as both:
        checkout = asked.checkout.resolve()
        bench = Bench(cores, both.answers_port, both.streams_port, place, checkout)
        with SPILLGATE.start(bench) as gateway:
            turn = Turn(gateway, generator, asked.seconds, cores.gateway)
            before = _loaded(turn, asked.streams)
            with _spied(gateway.pids[0], raw, asked.seconds, cores):
                _loaded(turn, asked.streams)
    unit = "frame" if asked.streams else "request"
    total, kernel = before["cpu_us"], before["kernel_us"]
    sys.stdout.write(
        f"{total:.0f} us of processor a {unit}, {kernel:.0f} us of it in the kernel\n\n"
    )
    sys.stdout.writelines(_table(raw, checkout, total))


def _loaded(turn: Turn, streams: int) -> dict[str, float]:
    if not streams:
        return turn.closed(_CONNECTIONS)[1]
    load = StreamLoad(turn.gateway.stream_asked(), streams)
    found, used = turn.driven(Spec(turn.seconds, streams=load))
    return used(found.streams.frames if found.streams else 0)


@contextmanager
def _spied(pid: int, raw: Path, seconds: float, cores: Cores) -> Iterator[None]:
    """py-spy looks while the load runs; it ends by itself."""
    command = [
        str(environments.py_spy()),
        *("record", "--pid", str(pid), "--duration", str(max(1, round(seconds) - 1))),
        *(
            "--rate",
            str(_RATE),
            "--gil",
            "--format",
            "raw",
            "--full-filenames",
            "--output",
            str(raw),
        ),
    ]
    spied = pinned(command, cores.load, first=True)  # else it would look when the load rests
    spy = subprocess.Popen(spied, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # noqa: S603  # py-spy
    try:
        yield
        _, said = spy.communicate(timeout=60)
    finally:
        if spy.poll() is None:
            spy.kill()
            spy.wait()
    if spy.returncode:
        raise LoadFailed(f"py-spy: {said.decode()[-300:]}")


def _table(raw: Path, checkout: Path, total_us: float) -> Iterator[str]:
    rest = 0.0
    for name, part in shares(raw.read_text().splitlines(), checkout):
        if part < _LEAST:
            rest += part
        else:
            yield f"{part * total_us:8.1f} us  {part:6.1%}  {name}\n"
    yield f"{rest * total_us:8.1f} us  {rest:6.1%}  all others\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
