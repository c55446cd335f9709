"""PromQL over the families of the registry, narrowed to what a dashboard's variables choose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from app.adapters.metrics.family import Family, Merge

#: Labels that a variable of the same name chooses values of.
_CHOSEN: Final = ("model", "tenant", "deployment")
#: How values of several replicas become one, as those of one gateway's workers do.
_ACROSS: Final = {Merge.SUM: "sum", Merge.MAX: "max", Merge.MIN: "min"}


@dataclass(frozen=True, slots=True)
class Query:
    """One expression and what its series are called; `{{label}}` is a label's value."""

    expr: str
    legend: str
    exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """Which series a dashboard looks at: `job` and `instance` always, and its own variables."""

    variables: frozenset[str]

    @classmethod
    def of(cls, *variables: str) -> Scope:
        """The scope of a dashboard with these variables beside `job` and `instance`."""
        return cls(frozenset(variables))

    def series(self, family: Family, *matchers: str, part: str = "") -> str:
        """A selector; `part` is what a histogram's series end in."""
        chosen = [name for name in _CHOSEN if name in family.labels and name in self.variables]
        given = [each.split("=")[0].rstrip("!~") for each in matchers]
        narrowed = [
            f'{name}=~"${name}"' for name in ("job", "instance", *chosen) if name not in given
        ]
        return f"{family.name}{part}{{{', '.join([*narrowed, *matchers])}}}"

    def rate(self, family: Family, *matchers: str, by: Iterable[str] = ()) -> str:
        """A counter's growth per second, summed."""
        return f"sum{_by(by)}(rate({self.series(family, *matchers)}[$__rate_interval]))"

    def grown(
        self, family: Family, *matchers: str, by: Iterable[str] = (), over: str = "$__range"
    ) -> str:
        """By how much a counter grew over a time, by default the dashboard's."""
        return f"sum{_by(by)}(increase({self.series(family, *matchers)}[{over}]))"

    def quantile(self, of: float, family: Family, *matchers: str, by: Iterable[str] = ()) -> str:
        """A histogram's quantile."""
        buckets = self.series(family, *matchers, part="_bucket")
        rates = f"sum{_by(('le', *by))}(rate({buckets}[$__rate_interval]))"
        return f"histogram_quantile({of}, {rates})"

    def heat(self, family: Family, *matchers: str) -> str:
        """A histogram's buckets, to be drawn as a heatmap."""
        buckets = self.series(family, *matchers, part="_bucket")
        return f"sum by (le) (increase({buckets}[$__rate_interval]))"

    def now(self, family: Family, *matchers: str, by: Iterable[str] = ()) -> str:
        """A gauge, merged over replicas as it is over workers."""
        return f"{_ACROSS[family.merge]}{_by(by)}({self.series(family, *matchers)})"


def quantiles(scope: Scope, family: Family, *of: float) -> tuple[Query, ...]:
    """Several quantiles of one histogram, with links to traces."""
    return tuple(
        Query(scope.quantile(each, family), f"p{100 * each:g}", exemplars=True) for each in of
    )


def or_zero(expr: str) -> str:
    """Nothing was counted yet: that is none."""
    return f"({expr} or vector(0))"


def of_all(part: str, whole: str) -> str:
    """A ratio, of both by the same labels: 0 where there is no part, nothing without a whole."""
    return f"({part} or 0 * {whole}) / ({whole} > 0)"


def _by(labels: Iterable[str]) -> str:
    names = ", ".join(labels)
    return f" by ({names}) " if names else ""
