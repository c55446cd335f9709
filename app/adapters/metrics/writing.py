"""Series as lines of a page, in the two forms that Prometheus reads.

To the byte as prometheus-client writes them, in a twentieth of the time: where there are several
workers each writes a page every second, and nothing else in its process goes on meanwhile. What is
the same on every page, names and labels, is put together once for each series.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from math import inf, isfinite
from typing import Any, Final

from app.adapters.metrics.family import Family, FamilyKind
from app.adapters.metrics.instruments import Children, Count, Distribution, Exemplar
from app.adapters.metrics.readings import Values

#: With more digits before its point a number has an exponent in Go, which the formats come from.
_MOST_DIGITS: Final = 6
_TOTAL: Final = "_total"


def number(value: float) -> str:
    """As Go writes it."""
    written = repr(float(value))
    point = written.find(".")
    if point <= _MOST_DIGITS and isfinite(value):
        return written
    if not isfinite(value):
        return "+Inf" if value > 0 else "-Inf" if value < 0 else "NaN"
    if value < 0:
        return written
    digits = f"{written[0]}.{written[1:point]}{written[point + 1 :]}".rstrip("0.")
    return f"{digits}e+{point - 1:02d}"


class PageWriter:
    """Writes pages; keeps the beginnings of lines, which are as many as there are series."""

    def __init__(self, families: Sequence[Family]) -> None:
        """All families, in their order."""
        self._families = families
        self._beginnings: dict[tuple[Family, tuple[str, ...]], tuple[str, ...]] = {}

    def text(self, counted: Mapping[Family, Children[Any]], read: Mapping[Family, Values]) -> bytes:
        """The older form, without examples."""
        lines: list[str] = []
        for family in self._families:
            lines.append(_head(family, family.name, _escaped(family.help)))
            lines += self._lines(family, counted, read, with_examples=False)
        return "".join(lines).encode()

    def openmetrics(
        self, counted: Mapping[Family, Children[Any]], read: Mapping[Family, Values]
    ) -> bytes:
        """The newer one."""
        lines: list[str] = []
        for family in self._families:
            help_ = _quoted(family.help)
            lines.append(_head(family, family.name.removesuffix(_TOTAL), help_))
            lines += self._lines(family, counted, read, with_examples=True)
        return "".join([*lines, "# EOF\n"]).encode()

    def _lines(
        self,
        family: Family,
        counted: Mapping[Family, Children[Any]],
        read: Mapping[Family, Values],
        *,
        with_examples: bool,
    ) -> Iterator[str]:
        children = counted.get(family)
        if children is None:
            return self._read(family, read.get(family, {}))
        series = [*children.series.items()]
        if family.kind is FamilyKind.COUNTER:
            return self._counters(family, series)
        return self._histograms(family, series, with_examples=with_examples)

    def _counters(
        self, family: Family, series: Iterable[tuple[tuple[str, ...], Count]]
    ) -> Iterator[str]:
        for labels, each in series:
            yield f"{self._beginning(family, labels)[0]}{number(each.value)}\n"

    def _read(self, family: Family, values: Values) -> Iterator[str]:
        for labels, value in values.items():
            yield f"{self._beginning(family, labels)[0]}{number(value)}\n"

    def _histograms(
        self,
        family: Family,
        series: Iterable[tuple[tuple[str, ...], Distribution]],
        *,
        with_examples: bool,
    ) -> Iterator[str]:
        for labels, each in series:
            *buckets, count, total = self._beginning(family, labels)
            within = [*accumulate(each.counts)]
            examples = each.examples if with_examples else [None] * len(buckets)
            for beginning, value, example in zip(buckets, within, examples, strict=True):
                yield f"{beginning}{value}.0{_example(example)}\n"
            yield f"{count}{within[-1]}.0\n"
            yield f"{total}{number(each.total)}\n"

    def _beginning(self, family: Family, labels: tuple[str, ...]) -> tuple[str, ...]:
        key = family, labels
        known = self._beginnings.get(key)
        if known is None:
            known = self._beginnings[key] = _beginnings(family, labels)
        return known


def _head(family: Family, name: str, help_: str) -> str:
    return f"# HELP {name} {help_}\n# TYPE {name} {family.kind}\n"


def _beginnings(family: Family, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Of the one line of a series, or of those of a histogram's buckets, its count and its sum."""
    named = dict(zip(family.labels, labels, strict=True))
    name = family.name
    if family.kind is not FamilyKind.HISTOGRAM:
        return (f"{name}{_labels(named)} ",)
    bounds = (number(bound) for bound in (*family.buckets, inf))
    buckets = (f"{name}_bucket{_labels(named | {'le': bound})} " for bound in bounds)
    return (*buckets, f"{name}_count{_labels(named)} ", f"{name}_sum{_labels(named)} ")


def _labels(named: Mapping[str, str]) -> str:
    """In the order of their names."""
    if not named:
        return ""
    return "{" + ",".join(f'{name}="{_quoted(named[name])}"' for name in sorted(named)) + "}"


def _example(example: Exemplar | None) -> str:
    if example is None:
        return ""
    return f" # {_labels(example.labels)} {number(example.value)} {example.timestamp}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', r"\"")
