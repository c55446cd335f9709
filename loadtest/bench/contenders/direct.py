"""Nobody between: what the load and the upstreams can do by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from loadtest.bench.contender import Bench, Contender, Running
from loadtest.bench.lane_names import CLOSED, FEW_STREAMS, MANY_STREAMS, ONE


@contextmanager
def _start(bench: Bench) -> Iterator[Running]:
    yield Running(bench.answers_port, streams_port=bench.streams_port, by_path=True)


DIRECT: Final = Contender(
    name="direct",
    title="direct",
    does="no gateway; load and upstream share a core",
    start=_start,
    prepare=lambda: None,
    published=dict,
    version=lambda _checkout: "",
    lanes=frozenset({CLOSED, ONE, MANY_STREAMS, FEW_STREAMS}),
)
