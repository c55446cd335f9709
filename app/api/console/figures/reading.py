"""Series of a page of metrics in Prometheus' text format, those that pages of the console show."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

#: Label names and values of one series.
Labels = Mapping[str, str]

#: Families that pages show; a page of metrics has thousands of other series.
SHOWN: Final = frozenset(
    {
        "llm_requests_total",
        "llm_errors_total",
        "llm_requests_in_flight",
        "llm_queue_length",
        "llm_time_to_first_token_seconds_bucket",
        "llm_request_latency_seconds_bucket",
        "llm_tokens_total",
        "llm_cost_dollars_total",
        "llm_deployment_cost_dollars_total",
        "llm_spill_cost_dollars_total",
        "llm_spill_total",
        "llm_class_requests_total",
        "llm_attempts_total",
        "llm_throttles_total",
        "llm_ptu_utilization_ratio",
        "llm_ptu_reported_utilization_ratio",
        "llm_ptu_share_ratio",
        "llm_deployment_capacity_tokens_per_minute",
        "llm_deployment_hold_seconds",
        "llm_deployment_tokens_total",
        "llm_cache_requests_total",
        "llm_cache_saved_dollars_total",
        "llm_cache_false_hit_ratio",
        "llm_quota_refusals_total",
        "spillgate_dependency_up",
        "spillgate_workers",
        "process_start_time_seconds",
    }
)
_LINE: Final = re.compile(r"([a-z_]+)(?:\{(.*)\})? (\S+)")
_LABEL: Final = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(r"\\(.)")
_MEANT: Final = {"n": "\n"}


@dataclass(frozen=True, slots=True)
class Series:
    """One series."""

    labels: Labels
    value: float


@dataclass(frozen=True, slots=True)
class Sample:
    """What was counted at one moment, on the monotonic clock in seconds."""

    at: float
    families: Mapping[str, list[Series]] = field(default_factory=dict, repr=False)

    def series(self, family: str, **where: str) -> Iterator[Series]:
        """Those with these labels; none where the family is not there."""
        for each in self.families.get(family, ()):
            if all(each.labels.get(name) == value for name, value in where.items()):
                yield each

    def total(self, family: str, **where: str) -> float:
        """Their sum."""
        return sum(each.value for each in self.series(family, **where))

    def known(self, family: str, **where: str) -> float | None:
        """The first one's value; None where there is none."""
        return next((each.value for each in self.series(family, **where)), None)

    def by(self, family: str, label: str, **where: str) -> dict[str, float]:
        """Sums by the values of a label, the largest first."""
        return self.sums(family, lambda labels: labels.get(label, ""), **where)

    def sums(self, family: str, of: Callable[[Labels], str], **where: str) -> dict[str, float]:
        """Sums by anything that labels tell, the largest first."""
        found: dict[str, float] = {}
        for each in self.series(family, **where):
            name = of(each.labels)
            found[name] = found.get(name, 0.0) + each.value
        return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def sample_of(page: str, at: float) -> Sample:
    """The families of the page that are shown."""
    families: dict[str, list[Series]] = {}
    for line in page.split("\n"):  # a label may have other ends of lines in it
        name = line[: _end_of_name(line)]
        if name in SHOWN and (found := _LINE.fullmatch(line)):
            series = Series(_labels(found[2] or ""), float(found[3]))
            families.setdefault(name, []).append(series)
    return Sample(at, families)


def _end_of_name(line: str) -> int:
    ends = [at for at in (line.find("{"), line.find(" ")) if at >= 0]
    return min(ends, default=0)


def _labels(text: str) -> dict[str, str]:
    return {name: _unescaped(value) for name, value in _LABEL.findall(text)}


def _unescaped(value: str) -> str:
    return _ESCAPED.sub(lambda found: _MEANT.get(found[1], found[1]), value)
