"""What MLflow shows of traces that a gateway sends it over OTLP, by its own REST API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from app.domain.ledger.error_type import error_type
from tests.backends.servers import Backend, mlflow, until
from tests.backends.shown import expect_whole, mlflow_tree
from tests.backends.traffic import Sent, config, send
from tests.e2e.stack import stack

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


def tracing(backend: Backend) -> dict[str, Any]:
    """As docs/backends/mlflow.md says."""
    return {"endpoint": backend.url, "headers": {"x-mlflow-experiment-id": "0"}}


async def test_that_mlflow_shows_every_request_whole(redis_url: str, tmp_path: Path) -> None:
    """Spans, nesting, tokens, dollars, model, types; and the state that the caller saw."""
    async with (
        mlflow(tmp_path) as backend,
        stack(redis_url, config(tracing(backend)), ttft_ms=30, tpot_ms=1) as team,
    ):
        sent = await send(team)
        for receipt in sent.receipts:
            _, tree = await mlflow_tree(backend, receipt)
            expect_whole(tree, receipt)
        await _spilled(backend, sent, team.name("ptu"))
        await _others(backend, sent)


async def _spilled(backend: Backend, sent: Sent, ptu: str) -> None:
    """The stream that a full PTU refused: one trace, two attempts, charged once."""
    info, tree = await mlflow_tree(backend, sent.spilled)
    assert len(sent.spilled.attempts) == 2
    refused = tree.named(f"attempt {ptu}")
    assert refused.failed
    assert refused.attributes["http.response.status_code"] == 429
    assert info["state"] == "OK"
    assert tree.root.kind == "CHAT_MODEL"
    assert tree.root.attributes["mlflow.llm.model"] == "gpt-4o"
    assert tree.root.attributes["gen_ai.provider.name"] == "azure.ai.openai"
    assert tree.root.attributes["spillgate.spill"] == "throttled"
    usage, cost = _told(info, "tokenUsage"), _told(info, "cost")
    assert usage["input_tokens"] == sent.served["input_tokens"]
    assert usage["output_tokens"] == sent.served["output_tokens"] > 0
    assert cost["total_cost"] == pytest.approx(sent.spilled.nano_usd / 1e9)
    assert cost["total_cost"] > 0


async def _others(backend: Backend, sent: Sent) -> None:
    """A hit costs nothing, an embedding has its type, and an error is one."""
    info, tree = await mlflow_tree(backend, sent.cached)
    assert tree.root.attributes["spillgate.cache"] == "exact"
    assert _told(info, "cost")["total_cost"] == 0
    assert _told(info, "tokenUsage")["total_tokens"] == 0
    info, tree = await mlflow_tree(backend, sent.embedding)
    assert tree.root.kind == "EMBEDDING"
    assert _told(info, "tokenUsage")["total_tokens"] > 0
    info, tree = await mlflow_tree(backend, sent.error)
    assert (info["state"], tree.root.failed) == ("ERROR", True)
    assert tree.root.attributes["error.type"] == error_type(sent.error)


async def test_that_a_callers_trace_is_shown_too(redis_url: str, tmp_path: Path) -> None:
    """With its tokens and dollars, and without an end: MLflow waits for the caller's first span."""
    parent = {"traceparent": f"00-{'ab' * 15}01-{'cd' * 8}-01"}
    async with (
        mlflow(tmp_path) as backend,
        stack(redis_url, config(tracing(backend))) as team,
    ):
        sent = await send(team, **parent)
        charged = sum(each.nano_usd for each in sent.receipts) / 1e9

        async def told() -> bool:
            info, _ = await mlflow_tree(backend, sent.error)
            return _told(info, "cost")["total_cost"] == pytest.approx(charged)

        await until(told)
        info, tree = await mlflow_tree(backend, sent.error)
        assert info["state"] == "IN_PROGRESS"
        assert len([each for each in tree.spans if each.parent_id == "cd" * 8]) == 5


def _told(info: Mapping[str, Any], what: str) -> dict[str, float]:
    told: dict[str, float] = json.loads(info["trace_metadata"][f"mlflow.trace.{what}"])
    return told
