"""What a metric family is: its name, labels, buckets, and how workers' values become one."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class FamilyKind(StrEnum):
    """As the exposition format calls it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Merge(StrEnum):
    """How the values that several workers tell of one series become one."""

    SUM = "sum"  # parts of a whole: counts, requests in flight
    MAX = "max"  # several views of one thing, of which the worst counts: utilisation, holds
    MIN = "min"  # the same where little is bad: whether a dependency is up, an expiry


class Family(msgspec.Struct, frozen=True):
    """One metric family. `name` is the exposed one: a counter's ends in `_total`.

    `labels` have closed sets of values, or are capped; `buckets` are upper bounds, without +Inf.
    """

    name: str
    kind: FamilyKind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    merge: Merge = Merge.SUM


def counter(name: str, help_: str, *labels: str) -> Family:
    """What only grows; workers' parts add up."""
    return Family(name, FamilyKind.COUNTER, help_, labels)


def gauge(name: str, help_: str, *labels: str, merge: Merge) -> Family:
    """What goes up and down. There is no natural way to merge: each says its own."""
    return Family(name, FamilyKind.GAUGE, help_, labels, merge=merge)


def histogram(name: str, help_: str, *labels: str, buckets: tuple[float, ...]) -> Family:
    """A distribution in the given buckets."""
    return Family(name, FamilyKind.HISTOGRAM, help_, labels, buckets)
