"""An explanation as the attributes of its request's span.

Names are OpenTelemetry's where it has one (semantic conventions, generative AI and HTTP, 1.37), and
begin with `spillgate.` where it has none. What is unknown is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.domain.explain.explanation import Explanation, ReservedRecord, SettledRecord

#: What a span can hold.
Attribute = str | bool | int | float | tuple[str, ...]

_NANO: Final = 1_000_000_000


def span_attributes(explanation: Explanation) -> dict[str, Attribute]:
    """All that is known, by name."""
    served = explanation.deployment
    predicted = {each.deployment: each.predicted_utilization for each in explanation.candidates}
    actual = {each.deployment: each.actual_utilization for each in explanation.attempts}
    found: dict[str, Attribute | None] = {
        "gen_ai.request.model": explanation.model,
        "gen_ai.operation.name": explanation.operation,
        "http.response.status_code": explanation.status,
        "error.type": explanation.error,
        "spillgate.request_id": explanation.request_id,
        "spillgate.tenant": explanation.tenant,
        "spillgate.key_id": explanation.key_id,
        "spillgate.outcome": explanation.outcome,
        "spillgate.deployment": served,
        "spillgate.deployment.kind": explanation.deployment_kind,
        "spillgate.spill": explanation.spill,
        "spillgate.last_resort": explanation.last_resort,
        "spillgate.candidates": tuple(each.deployment for each in explanation.candidates),
        "spillgate.skipped": tuple(f"{s.deployment} {s.reason}" for s in explanation.skipped),
        "spillgate.attempts": tuple(
            f"{each.deployment} {each.verdict}" for each in explanation.attempts
        ),
        "spillgate.utilization.predicted": predicted.get(served or ""),
        "spillgate.utilization.actual": actual.get(served or ""),
        "spillgate.flags": explanation.flags,
        **_reserved(explanation.reserved or ReservedRecord()),
        **_settled(explanation.settled or SettledRecord()),
    }
    return {name: _plain(value) for name, value in found.items() if value is not None}


def _reserved(reserved: ReservedRecord) -> Mapping[str, Attribute | None]:
    return {
        "spillgate.reserved.tokens": reserved.tokens,
        "spillgate.reserved.usd": reserved.nano_usd / _NANO,
        "spillgate.degraded": reserved.degraded,
    }


def _settled(settled: SettledRecord) -> Mapping[str, Attribute | None]:
    return {
        "gen_ai.usage.input_tokens": settled.input,
        "gen_ai.usage.output_tokens": settled.output,
        "spillgate.usage.cached_input_tokens": settled.cached_input,
        "spillgate.usage.reasoning_tokens": settled.reasoning,
        "spillgate.cost.usd": settled.nano_usd / _NANO,
    }


def _plain(value: Attribute) -> Attribute:
    """Exporters look at the exact type, which a StrEnum's is not."""
    return str(value) if isinstance(value, str) else value
