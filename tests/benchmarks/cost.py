"""Processor time of a request and of a relayed frame, as a ratio to a reference workload.

    make bench-cost               # measure, and say how it compares
    make bench-cost ARGS=--set    # note it in cost.toml, as what it may cost from now on

A whole gateway process, governed, on real sockets and a real Redis. Bursts of requests, bursts of
streams and the reference take short turns on the same core. Of each a low quantile of its turns
counts, because what else runs on a machine only ever adds. Seconds differ between machines by
more than a regression does, ratios less so: the reference is interpreter, memory and system calls
in about the parts that the gateway has of them.

Set it on the machine, and with the Python, that the tests run on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import sys
import time
import tomllib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec

from loadtest.bench.contender import Bench, Running
from loadtest.bench.contenders.spillgate import SPILLGATE
from loadtest.bench.driver_connection import Connection
from loadtest.bench.machine import Cores, Unfit
from loadtest.bench.payloads import LAST_FRAMES, answer, chat
from loadtest.bench.process import Program, accepts, free_port, running
from loadtest.bench.upstreams import python

ROOT: Final = Path(__file__).parents[2]
NOTED: Final = Path(__file__).parent / "cost.toml"
#: So much more than what is noted is a regression.
TOLERATED: Final = 1.25
_ROUNDS: Final = 40
#: Their first turns warm up.
_WARM: Final = 4
_CONNECTIONS: Final = 16
_REQUESTS: Final = 96
_STREAMS: Final = 8
_FRAMES: Final = 100
_INTERVAL_MS: Final = 2
#: What is done for a request after its answer is done within it, most of the time.
_TAIL_S: Final = 0.03
_PATIENCE_S: Final = 60.0
_QUANTILE: Final = 8
_REFERENCE_TIMES: Final = 120


class Cost(msgspec.Struct, frozen=True):
    """How many times as much as one unit of the reference."""

    request: float
    frame: float

    def least(self, other: Cost) -> Cost:
        """Of each the smaller one: what else runs on a machine only ever adds."""
        return Cost(min(self.request, other.request), min(self.frame, other.frame))

    def over(self, noted: Cost) -> list[str]:
        """What costs more than is tolerated; empty where nothing does."""
        pairs = {
            "a request": (self.request, noted.request),
            "a relayed frame": (self.frame, noted.frame),
        }
        return [
            f"{name} costs {now:.3f} of the reference, {now / then:.2f} times the {then:.3f} noted"
            for name, (now, then) in pairs.items()
            if now > TOLERATED * then
        ]


@dataclass(slots=True)
class Turns:
    """Nanoseconds of each turn, by what was done; of one request, frame or unit."""

    reference: list[float] = field(default_factory=list)
    request: list[float] = field(default_factory=list)
    frame: list[float] = field(default_factory=list)

    def cost(self) -> Cost:
        """By the low quantiles."""
        unit = low(self.reference)
        return Cost(low(self.request) / unit, low(self.frame) / unit)


def low(values: Sequence[float]) -> float:
    """What one turn in eight is below."""
    return statistics.quantiles(values, n=_QUANTILE)[0]


class Noted(msgspec.Struct, frozen=True):
    """What the file says; `python` is the version that it was measured with."""

    python: str
    request: float
    frame: float

    @property
    def cost(self) -> Cost:
        return Cost(self.request, self.frame)


def noted() -> Noted:
    """What it may cost, before what is tolerated."""
    return msgspec.convert(tomllib.loads(NOTED.read_text()), Noted)


def this_python() -> str:
    """Between minor versions the interpreter's own speed differs."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


class Burst:
    """So many requests on some connections, one after the other on each."""

    def __init__(self, request: bytes, connections: int, port: int) -> None:
        self._request = request
        self._connections = [Connection(self, port) for _ in range(connections)]
        self._left = self._running = self._failed = 0
        self._done = asyncio.Event()

    async def open(self) -> None:
        """Connect."""
        for each in self._connections:
            await each.open()

    async def run(self, requests: int) -> None:
        """All of them, and what follows their answers."""
        self._left = requests - len(self._connections)
        self._running = len(self._connections)
        self._done.clear()
        for each in self._connections:
            each.ask(self._request)
        async with asyncio.timeout(_PATIENCE_S):
            await self._done.wait()
        assert not self._failed, "requests failed"
        await asyncio.sleep(_TAIL_S)

    def close(self) -> None:
        """It is not needed any more."""
        for each in self._connections:
            each.close()

    def part(self, connection: Connection, body: bytes) -> None:
        """Nothing is done with it."""

    def ended(self, connection: Connection, *, ok: bool) -> None:
        self._failed += not ok
        if self._left > 0 and ok:
            self._left -= 1
            connection.ask(self._request)
            return
        self._running -= 1
        if not self._running:
            self._done.set()


def reference_ns(times: int = _REFERENCE_TIMES) -> float:
    """Nanoseconds of this thread for one unit of the reference, of so many."""
    here, there = socket.socketpair()
    with here, there:
        began = time.thread_time_ns()
        for _ in range(times):
            _unit(here, there)
        return (time.thread_time_ns() - began) / times


@dataclass(frozen=True, slots=True)
class _Kept:
    name: str
    size: int

    def within(self, most: int) -> bool:
        return self.size <= most


def _unit(here: socket.socket, there: socket.socket) -> None:
    """What a gateway does, without one: parse, look up, make values, join, send, receive."""
    asked: dict[str, Any] = json.loads(_BODY)
    answered: dict[str, Any] = json.loads(_ANSWER)
    known = {f"key-{number}": _Kept(f"key-{number}", number) for number in range(40)}
    found = sorted(each.name for each in known.values() if each.within(30) and each.name in known)
    row = {**asked, "found": found, "usage": answered["usage"], "at": time.time()}
    line = json.dumps(row).encode()
    for _ in range(8):
        here.send(line)
        there.recv(65536)


_BODY: Final = chat()
_ANSWER: Final = answer()


@contextmanager
def _on(core: int) -> Iterator[None]:
    """This thread, on the gateway's core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _used_ns(pid: int) -> int:
    """Of all threads of a process, to the nanosecond (clock_getcpuclockid(3), as Linux has it)."""
    return time.clock_gettime_ns((~pid << 3) | 2)


@asynccontextmanager
async def _gateway(cores: Cores, checkout: Path) -> AsyncIterator[Running]:
    """One that serves, and its upstream."""
    with ExitStack() as opened:
        place, port = Path(opened.enter_context(TemporaryDirectory())), free_port()
        options = ("--port", str(port), "--frames", str(_FRAMES))
        module = python(
            "loadtest.bench.stream_server", *options, "--interval-ms", str(_INTERVAL_MS)
        )
        environment = {"PYTHONPATH": str(ROOT)}
        upstream = Program("the upstream", module, cores.load, place / "upstream.log", environment)
        opened.enter_context(running(upstream, accepts(port)))
        yield opened.enter_context(SPILLGATE.start(Bench(cores, port, port, place, checkout)))


async def measured(checkout: Path = ROOT) -> Cost:
    """Now, here; about 20 seconds."""
    cores = _cores()
    async with _gateway(cores, checkout) as gateway:
        requests = Burst(gateway.asked().as_bytes(), _CONNECTIONS, gateway.port)
        streams = Burst(gateway.stream_asked().as_bytes(), _STREAMS, gateway.port)
        await requests.open()
        await streams.open()
        turns = Turns()
        for number in range(_WARM + _ROUNDS):
            if number == _WARM:
                turns = Turns()
            await _turn(turns, gateway, cores.gateway, (requests, streams))
        requests.close()
        streams.close()
    return turns.cost()


async def _turn(turns: Turns, gateway: Running, core: int, bursts: tuple[Burst, Burst]) -> None:
    requests, streams = bursts
    with _on(core):
        turns.reference.append(reference_ns())
    (pid,) = gateway.pids
    before = _used_ns(pid)
    await requests.run(_REQUESTS)
    between = _used_ns(pid)
    await streams.run(_STREAMS)
    turns.request.append((between - before) / _REQUESTS)
    turns.frame.append((_used_ns(pid) - between) / _STREAMS / (_FRAMES + LAST_FRAMES))


def _cores() -> Cores:
    try:
        return Cores.of_this_machine()
    except Unfit:  # less steady, but ratios all the same
        return Cores(0, (0,))


def main(arguments: Sequence[str]) -> None:
    """Measure; compare or note."""
    asked = _options(arguments)
    now = asyncio.run(measured(asked.checkout.resolve()))
    sys.stdout.write(f"a request {now.request:.3f}, a frame {now.frame:.4f} of the reference\n")
    if asked.set:
        NOTED.write_text(
            "# Written by `make bench-cost ARGS=--set`: see cost.py.\n"
            f'python = "{this_python()}"\nrequest = {now.request:.3f}\nframe = {now.frame:.4f}\n'
        )
    elif NOTED.exists():
        sys.stdout.writelines(f"{each}\n" for each in now.over(noted().cost))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.cost")
    parser.add_argument("--set", action="store_true", help=f"note it in {NOTED.name}")
    parser.add_argument("--checkout", type=Path, default=ROOT, help="whose gateway; default: this")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
