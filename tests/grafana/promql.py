"""Which labels an expression has: every name in it is looked up, every join must match."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

import promql_parser as promql

from app.adapters.metrics.families import BY_NAME
from app.adapters.metrics.family import Family, FamilyKind
from grafana.source.standard import UP
from tests.tools.rules import every_rule

#: What Prometheus adds to everything that it scrapes.
TARGET: Final = frozenset({"job", "instance"})
#: Functions whose result is a number, or a series without labels.
_BARE: Final = frozenset(
    {"time", "vector", "scalar", "hour", "minute", "days_in_month", "day_of_month"}
)
#: Aggregations that choose among series, and leave their labels.
_CHOOSING: Final = frozenset({"topk", "bottomk"})
_SETS: Final = frozenset({"or", "and", "unless"})
_PARTS: Final = ("_bucket", "_count", "_sum")

#: None is a number, which fits everything.
Labels = frozenset[str] | None


class Wrong(AssertionError):
    """What is wrong with an expression."""


def labels(expr: Any) -> Labels:  # noqa: PLR0911  # one line for each kind of node
    """The labels of an expression's series; Wrong where a name or a label is not known."""
    match expr:
        case promql.NumberLiteral() | promql.StringLiteral():
            return None
        case promql.VectorSelector():
            return _selected(expr)
        case promql.MatrixSelector():
            return _selected(expr.vector_selector)
        case promql.AggregateExpr():
            return _aggregated(expr)
        case promql.Call():
            return _called(expr)
        case promql.BinaryExpr():
            return _joined(expr)
        case _:
            return labels(expr.expr)


def selectors(expr: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Every selector of an expression, with the nodes above it, the nearest last."""
    if isinstance(expr, promql.VectorSelector):
        yield expr, above
        return
    for child in _children(expr):
        yield from selectors(child, (*above, expr))


def matchers(selector: promql.VectorSelector) -> dict[str, str]:
    """What a selector asks of labels, as `=~value`."""
    return {
        each.name: str(each).removeprefix(each.name).replace('"', "")
        for each in selector.matchers.matchers
    }


def _children(expr: Any) -> list[Any]:
    match expr:
        case promql.MatrixSelector():
            return [expr.vector_selector]
        case promql.Call():
            return list(expr.args)
        case promql.BinaryExpr():
            return [expr.lhs, expr.rhs]
        case promql.NumberLiteral() | promql.StringLiteral():
            return []
        case _:
            return [expr.expr]


def _selected(selector: promql.VectorSelector) -> frozenset[str]:
    known = exposed(selector.name or "")
    asked = {each.name for each in selector.matchers.matchers}
    if not asked <= known:
        raise Wrong(f"{selector.name} has no label {', '.join(sorted(asked - known))}")
    return known


def exposed(name: str) -> frozenset[str]:
    """The labels of a metric as Prometheus has it."""
    if name in recorded():
        static, expr = recorded()[name]
        return (labels(promql.parse(expr)) or frozenset()) | static
    family = _family(name)
    is_bucket = name.endswith("_bucket")
    return frozenset(family.labels) | TARGET | ({"le"} if is_bucket else frozenset())


def _family(name: str) -> Family:
    if name == UP.name:
        return UP
    if (found := BY_NAME.get(name)) is not None:
        if found.kind is FamilyKind.HISTOGRAM:
            raise Wrong(f"{name} is a histogram: name its _bucket, _count or _sum")
        return found
    for part in _PARTS:
        found = BY_NAME.get(name.removesuffix(part))
        if name.endswith(part) and found is not None and found.kind is FamilyKind.HISTOGRAM:
            return found
    raise Wrong(f"there is no metric {name}")


@cache
def recorded() -> Mapping[str, tuple[frozenset[str], str]]:
    """Recording rules by name: labels that they add, and their expression."""
    return {
        rule["record"]: (frozenset(rule.get("labels", {})), rule["expr"])
        for _, rule in every_rule()
        if "record" in rule
    }


def _aggregated(expr: promql.AggregateExpr) -> frozenset[str]:
    inner = labels(expr.expr) or frozenset()
    if expr.modifier is None:
        return inner if str(expr.op) in _CHOOSING else frozenset()
    by = frozenset(expr.modifier.labels)
    if not by <= inner:
        raise Wrong(f"nothing below has the label {', '.join(sorted(by - inner))}")
    is_by = expr.modifier.type == promql.AggModifierType.By
    return by if is_by else inner - by


def _called(expr: promql.Call) -> Labels:
    of = [labels(each) for each in expr.args]
    if expr.func.name in _BARE:
        return None if expr.func.name in {"time", "scalar"} else frozenset()
    (inner,) = [each for each in of if each is not None]
    if expr.func.name != "histogram_quantile":
        return inner
    if "le" not in inner:
        raise Wrong("histogram_quantile needs le")
    return inner - {"le"}


def _joined(expr: promql.BinaryExpr) -> Labels:
    left, right = labels(expr.lhs), labels(expr.rhs)
    if left is None or right is None:
        return right if left is None else left
    if str(expr.op) in _SETS:
        return left
    modifier = expr.modifier
    matching = modifier.matching if modifier is not None else None
    if matching is None:
        if left != right:
            raise Wrong(f"{sorted(left)} and {sorted(right)} do not match")
        return left
    on = frozenset(matching.labels)
    if not on <= left & right:
        raise Wrong(f"not both sides have {sorted(on)}")
    group = modifier.group_labels if modifier is not None else None
    return on if group is None else left | frozenset(group)
