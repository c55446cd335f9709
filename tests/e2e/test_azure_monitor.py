"""What Microsoft's exporter makes of a request's spans, as Application Insights is sent it."""

from __future__ import annotations

from typing import Any

from tests.e2e.stack import eventually, ptu_and_paygo, stack
from tests.fakes.ingestion import Ingestion, ingestion


async def test_that_a_spilled_request_is_a_request_with_two_dependencies(redis_url: str) -> None:
    """One operation; the attempts are calls of a generative model below it, one of them refused."""
    async with ingestion() as azure:
        tracing = {
            "azure_monitor": azure.connection_string,
            "gen_ai_system": True,
            "sample": 1,
            "export": {"delay_s": 0.05, "close_s": 10},
        }
        async with stack(
            redis_url, lambda suffix: ptu_and_paygo(suffix) | {"tracing": tracing}
        ) as team:
            await team.fault("ptu", status=429, headers={"retry-after-ms": "900"})
            raw = await team.openai().chat.completions.with_raw_response.create(
                model="gpt-4o", messages=[{"role": "user", "content": "Hi"}], max_tokens=20
            )
            receipt = await team.receipt(raw.headers["x-request-id"])
            await eventually(lambda: azure.of("RequestData"))
            names = team.name("ptu"), receipt.deployment
    (request,) = azure.of("RequestData")
    assert receipt.usage is not None
    assert request["tags"]["ai.operation.id"] == receipt.trace_id
    assert request["tags"]["ai.cloud.role"] == "spillgate"
    assert (request["responseCode"], request["success"]) == ("200", True)
    assert request["properties"]["gen_ai.usage.output_tokens"] == str(receipt.usage.output)
    assert request["properties"]["spillgate.spill"] == "throttled"
    refused, served = (_attempt(azure, name, request["id"]) for name in names)
    assert (refused["success"], served["success"]) == (False, True)
    assert refused["properties"]["spillgate.verdict"] == "throttled"
    assert (refused["target"], served["target"]) == names
    assert {each["type"] for each in (refused, served)} == {"GenAI | azure.ai.openai"}
    assert azure.paths == {"/v2.1/track"}, "the exporter has nothing else to say"


def _attempt(azure: Ingestion, deployment: str | None, parent: str) -> dict[str, Any]:
    found = next(
        each for each in azure.of("RemoteDependencyData") if each["name"] == f"attempt {deployment}"
    )
    assert found["tags"]["ai.operation.parentId"] == parent
    return found
