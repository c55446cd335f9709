"""What Prometheus answers to a panel's queries, as Grafana would ask them."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from tests.grafana.boards import EVERYTHING, Json, filled
from tests.tools.prometheus import Prometheus, Series


@dataclass(frozen=True, slots=True)
class Span:
    """What is looked at: Unix times, and how far apart points are."""

    start: float
    end: float
    step_s: float

    @property
    def variables(self) -> Mapping[str, str]:
        """As the data source makes them: four scrapes at least, of which `step_s` is one."""
        length = round(self.end - self.start)
        return {
            **EVERYTHING,
            "__rate_interval": f"{round(4 * self.step_s)}s",
            "__range": f"{length}s",
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """The series of one query, without points that are no numbers."""

    target: Json
    series: tuple[Series, ...]


async def answers(server: Prometheus, panel: Json, span: Span) -> list[Answer]:
    """One answer for each query of the panel."""
    asked = [_answer(server, target, span) for target in panel["targets"]]
    return list(await asyncio.gather(*asked))


async def _answer(server: Prometheus, target: Json, span: Span) -> Answer:
    expr = filled(target["expr"], span.variables)
    if target["instant"]:
        found = await server.query(expr, at=span.end)
    else:
        found = await server.query_range(expr, start=span.start, end=span.end, step_s=span.step_s)
    kept = (Series(each.labels, _numbers(each)) for each in found)
    return Answer(target, tuple(each for each in kept if each.points))


def _numbers(series: Series) -> tuple[tuple[float, float], ...]:
    return tuple(point for point in series.points if math.isfinite(point[1]))


def name(target: Json, series: Series) -> str:
    """What the legend calls a series."""
    given: str = target["legendFormat"]
    return re.sub(r"{{(\w+)}}", lambda found: series.labels.get(found.group(1), ""), given)


def named(found: list[Answer]) -> list[tuple[str, Series]]:
    """All series of a panel, by their names."""
    return [(name(each.target, series), series) for each in found for series in each.series]
