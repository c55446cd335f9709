"""Requests one after the other on so many connections: by h2load, or by the driver where it is not.

A load is a number of requests, not a time: h2load then ends with the last answer, so that what it
counted is what the gateway served.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from loadtest.bench.driver_spec import Arriving, Asked, Spec
from loadtest.bench.driving import LoadFailed, drive
from loadtest.bench.environments import Tool
from loadtest.bench.process import pinned
from loadtest.bench.quantiles import quantile

_FINISHED: Final = re.compile(r"finished in ([\d.]+)(us|ms|s)\b")
_COUNTED: Final = re.compile(r"requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded, (\d+)")
_UNITS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_WITHIN_S: Final = 300
#: The warm-up's requests, each time as many again, until one of them takes this long.
_WARM_S: Final = 0.5
_FEWEST: Final = 64
_GROWS: Final = 4


class Closed(msgspec.Struct, frozen=True):
    """What came of it; times in milliseconds."""

    answered: int
    failed: int
    seconds: float
    p50: float
    p99: float

    @property
    def per_s(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds


@dataclass(frozen=True, slots=True)
class Generator:
    """A load generator, on cores of its own; `place` is for its files."""

    #: h2load; None: the driver stands in, which is slower.
    tool: Tool | None
    cores: Sequence[int]
    place: Path

    def load(self, asked: Asked, *, connections: int, requests: int) -> Closed:
        """So many requests on so many connections. Raises LoadFailed."""
        if self.tool is None:
            return self._driven(asked, connections, requests)
        body, log = self.place / "body.json", self.place / "requests.tsv"
        body.write_bytes(asked.body)
        log.unlink(missing_ok=True)
        connections = min(connections, requests)
        command = [
            *self.tool.command,
            *("--h1", "-t", "1", "-c", str(connections), "-n", str(requests)),
            *("-d", str(body), "--log-file", str(log)),
            *(part for each in _headers(asked) for part in ("-H", each)),
            f"http://127.0.0.1:{asked.port}{asked.path}",
        ]
        return found(self._run(command, self.tool.environment), log.read_text())

    def warm(self, asked: Asked, *, connections: int) -> tuple[float, int]:
        """Warm up; the answers a second that are to be expected, and how many it asked for.

        Raises LoadFailed.
        """
        requests, asked_for = _FEWEST, 0
        while True:
            warm = self.load(asked, connections=connections, requests=requests)
            asked_for += warm.answered
            if warm.seconds >= _WARM_S:
                return warm.per_s, asked_for
            requests *= _GROWS

    def _driven(self, asked: Asked, connections: int, requests: int) -> Closed:
        one_after_the_other = Arriving(asked, 0.0, connections, requests)
        (of,) = drive(Spec(0.0, [one_after_the_other]), self.cores).answers
        return Closed(of.answered, of.failed, of.seconds, of.p50, of.p99)

    def _run(self, command: Sequence[str], environment: Mapping[str, str]) -> str:
        try:
            done = subprocess.run(  # noqa: S603  # h2load
                pinned(command, self.cores, first=True),
                check=True,
                capture_output=True,
                text=True,
                timeout=_WITHIN_S,
                env={**os.environ, **environment},
            )
        except subprocess.SubprocessError as error:
            raise LoadFailed(f"h2load: {error}") from error
        return done.stdout


def found(said: str, log: str) -> Closed:
    """What h2load printed and logged, as a value. Raises LoadFailed."""
    finished, counted = _FINISHED.search(said), _COUNTED.search(said)
    if not (finished and counted):
        raise LoadFailed(f"h2load said: {said[-300:]}")
    times = [int(line.split("\t")[2]) / 1e3 for line in log.splitlines() if "\t200\t" in line]
    return Closed(
        answered=len(times),
        failed=int(counted[1]) + int(counted[2]) - len(times),
        seconds=float(finished[1]) * _UNITS[finished[2]],
        p50=quantile(times, 0.5),
        p99=quantile(times, 0.99),
    )


def _headers(asked: Asked) -> list[str]:
    headers = {"content-type": "application/json", **asked.headers}
    return [f"{name}: {value}" for name, value in headers.items()]
