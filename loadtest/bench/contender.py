"""What is measured: a gateway that runs, and how it is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtest.bench.driver_spec import Asked
from loadtest.bench.environments import ROOT
from loadtest.bench.machine import Cores, cpu_s, kernel_s, processes_of, rss_mb
from loadtest.bench.payloads import MODEL, STREAM_MODEL, STREAM_PREFIX, chat

#: By the names of its settings' files, or of where they are given, all that is not a default.
Published = dict[str, str]


@dataclass(frozen=True, slots=True)
class Bench:
    """What every contender stands in: cores, the upstreams' ports, a directory of its own."""

    cores: Cores
    answers_port: int
    streams_port: int
    place: Path
    #: Whose `app` this gateway is.
    checkout: Path = ROOT


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that serves. `pids` are its processes' roots, `redis` its Redis's."""

    port: int
    pids: Sequence[int] = ()
    redis: Sequence[int] = ()
    headers: dict[str, str] = field(default_factory=dict)
    stream_headers: dict[str, str] | None = None
    #: Where streams are asked for, if elsewhere.
    streams_port: int | None = None
    #: Whether paths, and not models, say which upstream is meant.
    by_path: bool = False
    #: Has what was served agree with what was asked for; see `agreement`.
    agree: Callable[[int], dict[str, Any]] | None = None

    def asked(self, prompt_bytes: int = 0) -> Asked:
        """A request for a whole answer."""
        return Asked(self.port, "/v1/chat/completions", chat(prompt_bytes), self.headers)

    def stream_asked(self) -> Asked:
        """A request for a stream."""
        prefix = STREAM_PREFIX if self.by_path else ""
        body = chat(model=MODEL if self.by_path else STREAM_MODEL, stream=True)
        headers = self.headers if self.stream_headers is None else self.stream_headers
        return Asked(self.streams_port or self.port, f"{prefix}/v1/chat/completions", body, headers)

    def cpu_s(self) -> float:
        """Processor seconds of all of its processes, but Redis."""
        return cpu_s(pid for root in self.pids for pid in processes_of(root))

    def kernel_s(self) -> float:
        """Of these what the kernel took."""
        return kernel_s(pid for root in self.pids for pid in processes_of(root))

    def redis_cpu_s(self) -> float:
        """Those of its Redis."""
        return cpu_s(self.redis)

    def rss_mb(self) -> float:
        """Resident memory of the largest of its processes, but Redis."""
        pids = (pid for root in self.pids for pid in processes_of(root))
        return max((rss_mb([pid]) for pid in pids), default=0.0)


@dataclass(frozen=True, slots=True)
class Contender:
    """One that takes part: `start` has it run as long as the context lasts."""

    name: str
    title: str
    #: In a few words, what it does with a request.
    does: str
    start: Callable[[Bench], AbstractContextManager[Running]]
    #: Raises Missing where it cannot be had.
    prepare: Callable[[], object]
    published: Callable[[], Published]
    #: Of a checkout; whoever is not in it has the version that is installed.
    version: Callable[[Path], str]
    #: The names of the lanes it takes part in.
    lanes: frozenset[str]
