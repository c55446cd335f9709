from __future__ import annotations

import json
from typing import Any

from app.adapters.tracing.sdk_spans import form_of
from app.domain.tracing.span_tree import span_tree
from tests.fakes.receipts import recorded


def test_that_mlflow_is_told_what_was_charged() -> None:
    """On the request's span alone, in its own form, and nobody else is."""
    tree = span_tree(recorded(), {})
    for mlflow in (True, False):
        spans = form_of({}, "1", mlflow=mlflow).spans(tree)
        told: list[Any] = [dict(each.attributes or {}).get("mlflow.llm.cost") for each in spans]
        cost = dict(spans[0].attributes or {})["spillgate.cost.usd"]
        assert told[1:] == [None] * (len(spans) - 1)
        assert (json.loads(told[0] or "null") or {}).get("total_cost") == (cost if mlflow else None)


def test_that_a_provider_is_named_as_it_was_once_where_that_is_asked_for() -> None:
    """Microsoft's exporter still goes by the name that the conventions gave up."""
    for wanted in (True, False):
        request, *_ = form_of({}, "1", gen_ai_system=wanted).spans(span_tree(recorded(), {}))
        assert ("gen_ai.system" in (request.attributes or {})) is wanted
