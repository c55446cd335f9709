"""The pages of several workers as one, and a page in the older of the two formats.

Pages are OpenMetrics as prometheus-client writes it: HELP, TYPE, then the series of a family, one
after the other. How values of one series become one is the family's own rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from app.adapters.metrics.families import FAMILIES
from app.adapters.metrics.family import Merge
from app.adapters.metrics.writing import number

EOF: Final = b"# EOF\n"
_HELP: Final = b"# HELP "
_TYPE: Final = b"# TYPE "
_GAUGE: Final = b"gauge"
_COUNTER: Final = b"counter"
_TOTAL: Final = "_total"
#: A sample with an exemplar; label values may hold anything, escaped.
_EXEMPLARY: Final = re.compile(rb'([^{ ]+(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?) (\S+) # (.*)')
_RULES: Final = {each.name.removesuffix(_TOTAL).encode(): each.merge for each in FAMILIES}


class Unreadable(ValueError):
    """These bytes are no whole page."""


@dataclass(slots=True)
class _Sample:
    value: float
    exemplar: bytes = b""


@dataclass(slots=True)
class _Family:
    name: bytes
    help: bytes = b""
    kind: bytes = b""
    samples: dict[bytes, _Sample] = field(default_factory=dict)

    @property
    def rule(self) -> Merge:
        return _RULES.get(self.name) or (Merge.MAX if self.kind == _GAUGE else Merge.SUM)

    def take(self, other: _Family) -> None:
        """Make its values part of these."""
        rule = self.rule
        for key, sample in other.samples.items():
            known = self.samples.get(key)
            if known is None:
                self.samples[key] = sample
                continue
            known.value = _one(rule, known.value, sample.value)
            known.exemplar = max(known.exemplar, sample.exemplar, key=_moment)


def merged(pages: Sequence[bytes]) -> bytes:
    """One page of all. Raises Unreadable where one is not whole."""
    families: dict[bytes, _Family] = {}
    for page in pages:
        for family in _families(page):
            known = families.setdefault(family.name, family)
            if known is not family:
                known.take(family)
    return b"".join([*_lines(families.values()), EOF])


def counted(page: bytes) -> bytes:
    """The page without gauges: what stays true of a worker that is gone. Raises Unreadable."""
    families = list(_families(page))
    for family in families:
        if family.kind == _GAUGE:
            family.samples.clear()
    return b"".join([*_lines(families), EOF])


def as_text(page: bytes) -> bytes:
    """The page in Prometheus' text format 0.0.4, which has no exemplars. Raises Unreadable."""
    families = list(_families(page))
    for family in families:
        if family.kind == _COUNTER:
            family.name += _TOTAL.encode()
        family.help = family.help.replace(rb"\"", b'"')
        for sample in family.samples.values():
            sample.exemplar = b""
    return b"".join(_lines(families))


def _families(page: bytes) -> Iterator[_Family]:
    # By no other end of a line: a label has a bare CR as it is.
    *lines, rest = page.removesuffix(EOF).split(b"\n")
    if rest or not page.endswith(EOF):
        raise Unreadable("a page of metrics ends before its end")
    family: _Family | None = None
    for line in lines:
        if line.startswith(_HELP):
            if family is not None:
                yield family
            name, _, text = line[len(_HELP) :].partition(b" ")
            family = _Family(name, text)
        elif family is None:
            raise Unreadable("a page of metrics begins without a family")
        elif line.startswith(_TYPE):
            family.kind = line.rpartition(b" ")[2]
        else:
            key, sample = _sample(line)
            family.samples[key] = sample
    if family is not None:
        yield family


def _sample(line: bytes) -> tuple[bytes, _Sample]:
    if b" # {" in line and (found := _EXEMPLARY.fullmatch(line)):
        return found[1], _Sample(float(found[2]), found[3])
    key, _, value = line.rpartition(b" ")
    return key, _Sample(float(value))


def _lines(families: Iterable[_Family]) -> Iterator[bytes]:
    for family in families:
        yield b"%s%s %s\n%s%s %s\n" % (
            _HELP, family.name, family.help, _TYPE, family.name, family.kind,
        )  # fmt: skip
        for key, sample in family.samples.items():
            value = number(sample.value).encode()
            yield (
                b"%s %s # %s\n" % (key, value, sample.exemplar)
                if sample.exemplar
                else (b"%s %s\n" % (key, value))
            )


def _one(rule: Merge, one: float, other: float) -> float:
    match rule:
        case Merge.SUM:
            return one + other
        case Merge.MAX:
            return max(one, other)
        case Merge.MIN:
            return min(one, other)


def _moment(exemplar: bytes) -> float:
    """When it was: the newest says most of what goes on now."""
    return float(exemplar.rpartition(b" ")[2]) if exemplar else 0.0
