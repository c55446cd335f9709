"""What Azure says that a deployment or a resource did: tokens by the hour, or by the day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

HOUR_S: Final = 3600
DAY_S: Final = 86_400


class Measure(StrEnum):
    """What is counted, most of it tokens; a closed set."""

    PROMPT = "prompt"  # input, cached or not
    UNCACHED = "uncached_input"
    CACHED = "cached_input"
    OUTPUT = "output"
    TOTAL = "total"
    PTU_HOURS = "ptu_hours"  # of PTUs, used or not


class UnreadableExport(ValueError):
    """A file is no export that is known; the text says where and what."""


class Point(NamedTuple):
    """One number of a file; `at` is the Unix time of the first second that it counts."""

    resource: str
    deployment: str  # empty: of the whole resource
    measure: Measure
    at: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Series:
    """Tokens of one measure from `starts` (Unix seconds) on, one number for every `step_s`."""

    resource: str
    deployment: str
    measure: Measure
    starts: int
    step_s: int
    tokens: tuple[int, ...]

    @property
    def ends(self) -> int:
        """The first second that is not counted any more."""
        return self.starts + self.step_s * len(self.tokens)


def series_of(points: Iterable[Point], step_s: int) -> list[Series]:
    """Points in steps; finer ones are added up. All begin and end together.

    Where a file says nothing between its first and its last moment, nothing was counted.
    """
    sums: dict[tuple[str, str, Measure], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for point in points:
        name = (point.resource.lower(), point.deployment.lower(), point.measure)
        sums[name][point.at // step_s] += point.tokens
    steps = [step for each in sums.values() for step in each]
    return list(_filled(sums, step_s, range(min(steps), max(steps) + 1))) if steps else []


def _filled(
    sums: dict[tuple[str, str, Measure], dict[int, int]], step_s: int, steps: range
) -> Iterator[Series]:
    for name in sorted(sums):
        resource, deployment, measure = name
        tokens = tuple(sums[name].get(step, 0) for step in steps)
        yield Series(resource, deployment, measure, steps.start * step_s, step_s, tokens)
