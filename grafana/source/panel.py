"""What a panel is before it is Grafana's: a title, a sentence, what to do, and queries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from grafana.source.query import Query

#: Colours of thresholds by their meaning; the first holds from below.
GREEN: Final = "green"
YELLOW: Final = "yellow"
RED: Final = "red"
BLUE: Final = "blue"

#: A colour from a value on; None is the lowest.
Steps = tuple[tuple[float | None, str], ...]


def above(yellow: float, red: float | None = None) -> Steps:
    """Much is bad."""
    steps: Steps = ((None, GREEN), (yellow, YELLOW if red is not None else RED))
    return steps if red is None else (*steps, (red, RED))


def below(yellow: float, red: float) -> Steps:
    """Little is bad."""
    return ((None, RED), (red, YELLOW), (yellow, GREEN))


PLAIN: Final[Steps] = ((None, BLUE),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """What every panel has. Width and height are in Grafana's grid, which is 24 wide.

    `shows` says what is seen, `red` what to do when it looks bad; `runbook` is
    a page's name, `#` and the heading of an alert on it.
    """

    title: str
    shows: str
    red: str
    queries: tuple[Query, ...]
    unit: str
    width: int
    height: int
    runbook: str = ""
    steps: Steps = ()
    decimals: int | None = None

    @property
    def description(self) -> str:
        """The text behind the panel's `i`."""
        return f"{self.shows}\n\n**When it is red:** {self.red}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat(Panel):
    """One number, coloured by its thresholds; `names` stand for values (1: up)."""

    width: int = 4
    height: int = 4
    steps: Steps = PLAIN
    names: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph(Panel):
    """Lines over time. `colors` are of series by their name; `dashed` is a pattern of names."""

    width: int = 6
    height: int = 7
    stacked: bool = False
    least: float | None = 0
    most: float | None = None
    logarithmic: bool = False
    traces: bool = False
    colors: tuple[tuple[str, str], ...] = ()
    dashed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heatmap(Panel):
    """A histogram over time: the brighter, the more."""

    width: int = 6
    height: int = 7
    traces: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars(Panel):
    """One bar for each series, coloured by its thresholds."""

    width: int = 6
    height: int = 7
    steps: Steps = PLAIN
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: a label, or the value of a query (`#A`), and what stands above it."""

    source: str
    title: str
    unit: str = ""
    steps: Steps = ()
    gauge: bool = False
    decimals: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Panel):
    """A row for each set of labels that the queries share, which are all that they have."""

    width: int = 12
    height: int = 7
    unit: str = "short"
    columns: tuple[Column, ...]
    sort: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels that belong together, from left to right."""

    title: str
    panels: tuple[Panel, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A dashboard: the question that it answers, and its rows from top to bottom."""

    uid: str
    title: str
    question: str
    variables: tuple[str, ...]
    rows: tuple[Row, ...]
    since: str = "now-1h"
