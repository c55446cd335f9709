"""What a back end shows of a trace, and whether that is all of it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.domain.ledger.completion import Receipt
from app.domain.routing.attempt import Verdict
from tests.backends.servers import Backend, until

_STAGES: Final = ["authenticate", "read", "admit", "cache", "route"]


@dataclass(frozen=True, slots=True)
class Shown:
    """One span, as a back end gives it again; ids are hexadecimal."""

    name: str
    span_id: str
    parent_id: str
    kind: str
    failed: bool
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tree:
    """A trace; `root` has no parent among its spans."""

    spans: tuple[Shown, ...]

    @property
    def root(self) -> Shown:
        """The request's own span."""
        ids = {each.span_id for each in self.spans}
        (root,) = [each for each in self.spans if each.parent_id not in ids]
        return root

    def below(self, parent: Shown) -> list[str]:
        """Names of its children, in the order of their names."""
        return sorted(each.name for each in self.spans if each.parent_id == parent.span_id)

    def named(self, name: str) -> Shown:
        """The one of this name."""
        (found,) = [each for each in self.spans if each.name == name]
        return found


def expect_whole(tree: Tree, receipt: Receipt) -> None:
    """Every span of the request is there once, and below the one that it is part of."""
    asked = [f"attempt {each.deployment}" for each in receipt.attempts]
    stages = [*_STAGES[:-1], "replay"] if receipt.cache.is_hit else _STAGES
    assert tree.below(tree.root) == sorted([*stages, *asked])
    relayed = 0
    for each in receipt.attempts:
        accepted = each.verdict is Verdict.ACCEPT
        assert tree.below(tree.named(f"attempt {each.deployment}")) == ["relay"] * accepted
        relayed += accepted
    assert len(tree.spans) == 1 + len(stages) + len(asked) + relayed


async def mlflow_tree(backend: Backend, receipt: Receipt) -> tuple[dict[str, Any], Tree]:
    """What MLflow says of the trace, and its spans, as soon as the request's own is there."""

    async def found() -> Any:
        answer = await backend.get("/api/3.0/mlflow/traces/get", trace_id=f"tr-{trace_id(receipt)}")
        return answer and answer["trace"].get("spans") and answer["trace"]

    trace = await until(found)
    return trace["trace_info"], Tree(tuple(_from_otlp(each) for each in trace["spans"]))


async def phoenix_tree(backend: Backend, receipt: Receipt) -> Tree:
    """Phoenix's spans of the trace, as soon as there are any."""

    async def found() -> Any:
        path, query = "/v1/projects/default/spans", {"trace_id": trace_id(receipt)}
        answer = await backend.get(path, **query, limit="1000")
        return answer and answer["data"]

    return Tree(tuple(_from_phoenix(each) for each in await until(found)))


def trace_id(receipt: Receipt) -> str:
    """The id of the trace that a request is in."""
    assert receipt.trace is not None
    return receipt.trace.trace_id


def _from_otlp(span: Mapping[str, Any]) -> Shown:
    attributes = {each["key"]: _plain(each["value"]) for each in span["attributes"]}
    return Shown(
        name=span["name"],
        span_id=_hexadecimal(span["span_id"]),
        parent_id=_hexadecimal(span.get("parent_span_id", "")),
        kind=attributes.get("mlflow.spanType", "UNKNOWN"),
        failed=span["status"].get("code") == "STATUS_CODE_ERROR",
        attributes=attributes,
    )


def _from_phoenix(span: Mapping[str, Any]) -> Shown:
    return Shown(
        name=span["name"],
        span_id=span["context"]["span_id"],
        parent_id=span["parent_id"] or "",
        kind=span["span_kind"],
        failed=span["status_code"] == "ERROR",
        attributes=span["attributes"],
    )


def _hexadecimal(given: str) -> str:
    return base64.b64decode(given).hex()


def _plain(value: Mapping[str, Any]) -> Any:
    """An AnyValue of OTLP's JSON."""
    ((kind, held),) = value.items()
    if kind == "array_value":
        return [_plain(each) for each in held["values"]]
    if kind == "kvlist_value":
        return {each["key"]: _plain(each["value"]) for each in held["values"]}
    return held
