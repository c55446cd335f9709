"""One turn of one contender: all it is measured at, while it runs, and what it counted itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from loadtest.bench.closed_loop import Closed, Generator
from loadtest.bench.contender import Running
from loadtest.bench.driver_spec import Asked, Found, Spec
from loadtest.bench.driving import drive
from loadtest.bench.machine import core_busy_s

#: What a gateway does for requests after their answers, it does within this time.
_TAIL_S: Final = 0.5
_US: Final = 1e6

Figures = dict[str, float]


@dataclass(slots=True)
class Turn:
    """A gateway that runs, the load for it, and how many answers it gave so far."""

    gateway: Running
    generator: Generator
    seconds: float
    #: The gateway's.
    core: int
    #: Answers a second on 32 connections, once that is known.
    capacity: float = 0.0
    #: What the body of a whole stream has, once that is known.
    stream_crc32: int = 0
    answered: int = 0
    figures: dict[str, Figures] = field(default_factory=dict)

    def closed(self, connections: int) -> tuple[Closed, Figures]:
        """Whole answers on so many connections, one after the other on each."""
        asked = self.gateway.asked()
        expected, warmed = self.generator.warm(asked, connections=connections)
        self.answered += warmed
        requests = max(connections, round(expected * self.seconds))
        with self._used() as used:
            found = self.generator.load(asked, connections=connections, requests=requests)
        self.answered += found.answered
        return found, used(found.answered)

    def driven(self, spec: Spec) -> tuple[Found, Callable[[int], Figures]]:
        """What the driver is told to do."""
        with self._used() as used:
            found = drive(spec, self.generator.cores)
        self.answered += sum(each.answered for each in found.answers)
        if found.streams:
            self.answered += found.streams.streams
        return found, used

    def asked(self, prompt_bytes: int = 0) -> Asked:
        """A request for a whole answer."""
        return self.gateway.asked(prompt_bytes)

    @contextmanager
    def _used(self) -> Iterator[Callable[[int], Figures]]:
        """Processor time meanwhile, of the gateway and its Redis, for each of so many things.

        `busy` is the part of its core that the gateway had, `others` what somebody else had of it.
        """
        gateway, redis = self.gateway.cpu_s(), self.gateway.redis_cpu_s()
        core, kernel = core_busy_s(self.core), self.gateway.kernel_s()
        began = time.monotonic()
        took: dict[str, float] = {}

        def used(things: int) -> Figures:
            each = max(things, 1) / _US
            return {
                "cpu_us": took["gateway"] / each,
                "kernel_us": took["kernel"] / each,
                "redis_us": took["redis"] / each,
                "busy": took["gateway"] / took["s"],
                "others": max(0.0, took["core"] - took["gateway"]) / took["s"],
            }

        yield used
        took["s"] = time.monotonic() - began
        took["core"] = core_busy_s(self.core) - core
        time.sleep(_TAIL_S)
        took["gateway"] = self.gateway.cpu_s() - gateway
        took["kernel"] = self.gateway.kernel_s() - kernel
        took["redis"] = self.gateway.redis_cpu_s() - redis


class TurnFound(msgspec.Struct, frozen=True):
    """What a turn came to; `error` is why it did not, where it did not."""

    contender: str
    round: int
    lanes: dict[str, Figures]
    agreement: dict[str, Any] | None = None
    rss_mb: float = 0.0
    error: str = ""
