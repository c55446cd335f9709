"""An explanation as the attributes of its request's span."""

from __future__ import annotations

from typing import Any

from app.domain.explain.explanation import explained
from app.domain.explain.span_attributes import span_attributes
from tests.fakes.call import FakeCall
from tests.fakes.house import House

CALL: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}


async def test_the_attributes_of_a_span() -> None:
    """Of plain types, under OpenTelemetry's names where there are some; the unknown left out."""
    house = House()
    headers = {"azure-openai-deployment-utilization": "104%"}
    house.upstream("ptu").answers(429, code="429", retry_after_ms=800, headers=headers)
    house.upstream("paygo").completes(usage=(9, 2))
    _, receipt = await house.serve(FakeCall(fields=CALL))
    attributes = span_attributes(explained(receipt))
    kinds = {type(value) for value in attributes.values()}
    assert kinds <= {str, bool, int, float, tuple}
    assert (
        attributes.items()
        >= {
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.input_tokens": 9,
            "gen_ai.usage.output_tokens": 2,
            "http.response.status_code": 200,
            "spillgate.tenant": "acme",
            "spillgate.deployment": "paygo",
            "spillgate.spill": "throttled",
            "spillgate.candidates": ("ptu", "paygo"),
            "spillgate.attempts": ("ptu throttled", "paygo accept"),
        }.items()
    )
    assert "error.type" not in attributes
    assert "spillgate.utilization.actual" not in attributes
