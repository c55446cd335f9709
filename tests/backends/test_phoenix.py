"""What Phoenix shows of traces that a gateway sends it over OTLP, by its own APIs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.domain.ledger.completion import Receipt
from app.domain.ledger.error_type import error_type
from tests.backends.servers import Backend, phoenix
from tests.backends.shown import expect_whole, phoenix_tree, trace_id
from tests.backends.traffic import Sent, config, send
from tests.e2e.stack import stack

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

_TOTALS = """
query ($trace: ID!) { getProjectByName(name: "default") { trace(traceId: $trace) {
  numSpans costSummary { total { cost tokens } } rootSpan { cumulativeTokenCountTotal }
} } }
"""


async def test_that_phoenix_shows_every_request_whole(redis_url: str, tmp_path: Path) -> None:
    """Spans, nesting, tokens, model and kinds; over HTTP, and one more time over gRPC."""
    async with phoenix(tmp_path) as backend:
        for endpoint, protocol in ((backend.url, "http"), (backend.grpc_url, "grpc")):
            tracing = {"endpoint": endpoint, "protocol": protocol}
            async with stack(redis_url, config(tracing), ttft_ms=30, tpot_ms=1) as team:
                sent = await send(team)
                for receipt in sent.receipts:
                    expect_whole(await phoenix_tree(backend, receipt), receipt)
                await _spilled(backend, sent, team.name("ptu"))
                await _others(backend, sent)


async def _spilled(backend: Backend, sent: Sent, ptu: str) -> None:
    """The stream that a full PTU refused: one trace, two attempts, counted once."""
    tree = await phoenix_tree(backend, sent.spilled)
    assert len(sent.spilled.attempts) == 2
    refused = tree.named(f"attempt {ptu}")
    assert refused.failed
    assert refused.attributes["http.response.status_code"] == 429
    root = tree.root
    assert (root.kind, root.failed) == ("LLM", False)
    assert root.attributes["llm.model_name"] == "gpt-4o"
    assert root.attributes["llm.provider"] == "azure"
    assert root.attributes["llm.token_count.prompt"] == sent.served["input_tokens"]
    assert root.attributes["llm.token_count.completion"] == sent.served["output_tokens"] > 0
    assert root.attributes["spillgate.cost.usd"] == pytest.approx(sent.spilled.nano_usd / 1e9)
    totals = await _totals(backend, sent.spilled)
    tokens = sent.served["input_tokens"] + sent.served["output_tokens"]
    assert totals["rootSpan"]["cumulativeTokenCountTotal"] == tokens
    assert totals["costSummary"]["total"]["cost"] > 0
    assert totals["numSpans"] == len(tree.spans)


async def _others(backend: Backend, sent: Sent) -> None:
    """A hit has no tokens, an embedding has its kind, and an error is one."""
    root = (await phoenix_tree(backend, sent.cached)).root
    assert root.attributes["spillgate.cache"] == "exact"
    assert root.attributes["llm.token_count.total"] == 0
    root = (await phoenix_tree(backend, sent.embedding)).root
    assert root.kind == "EMBEDDING"
    assert root.attributes["embedding.model_name"] == "text-embedding-3-small"
    assert root.attributes["llm.token_count.prompt"] > 0
    root = (await phoenix_tree(backend, sent.error)).root
    assert (root.failed, root.attributes["error.type"]) == (True, error_type(sent.error))


async def _totals(backend: Backend, receipt: Receipt) -> dict[str, Any]:
    query = {"query": _TOTALS, "variables": {"trace": trace_id(receipt)}}
    answer = await backend.post("/graphql", query)
    totals: dict[str, Any] = answer["data"]["getProjectByName"]["trace"]
    return totals
