"""A span tree as OpenTelemetry's SDK has it, ready to be exported.

No tracer is involved: what a request's spans are is known when it is over, and nothing is built for
those that are not recorded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

import msgspec
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.sdk.version import __version__ as SDK_VERSION  # noqa: N812  # a constant
from opentelemetry.trace import Link, SpanContext, TraceFlags, TraceState
from opentelemetry.trace import SpanKind as SdkKind
from opentelemetry.trace.status import Status, StatusCode

from app.domain.tracing import attribute_names as names
from app.domain.tracing.spans import Attribute, Attributes, Span, SpanKind, SpanLink, SpanTree

_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_KINDS: Final = {
    SpanKind.SERVER: SdkKind.SERVER,
    SpanKind.CLIENT: SdkKind.CLIENT,
    SpanKind.INTERNAL: SdkKind.INTERNAL,
}
#: MLflow's page shows no cost of a span without them (3.17), and their sum nowhere.
_NO_PARTS: Final = {"input_cost": 0.0, "output_cost": 0.0}
_UNSET: Final = Status(StatusCode.UNSET)
_FAILED: Final = Status(StatusCode.ERROR)


class SpanForm(msgspec.Struct, frozen=True):
    """Who the spans are from, and what some receivers want beside the conventions.

    `gen_ai_system`: the provider also under its deprecated name. `mlflow`: the cost also in
    MLflow's form, which otherwise multiplies tokens by list prices.
    """

    resource: Resource
    scope: InstrumentationScope
    gen_ai_system: bool = False
    mlflow: bool = False

    def spans(self, tree: SpanTree) -> list[ReadableSpan]:
        """All of a tree, the request's first."""
        trace_id = int(tree.trace_id, 16)
        state = TraceState.from_header([tree.state]) if tree.state else None
        return [
            self._span(span, trace_id, state, is_first=span is tree.request) for span in tree.spans
        ]

    def _span(
        self, span: Span, trace_id: int, state: TraceState | None, *, is_first: bool
    ) -> ReadableSpan:
        parent = None
        if span.parent_id:
            parent_id = int(span.parent_id, 16)
            parent = SpanContext(trace_id, parent_id, is_first, _SAMPLED, state)
        return ReadableSpan(
            name=span.name,
            context=SpanContext(trace_id, int(span.span_id, 16), False, _SAMPLED, state),  # noqa: FBT003  # is_remote
            parent=parent,
            resource=self.resource,
            attributes=self._attributes(span.attributes),
            events=[Event(each.name, timestamp=each.at) for each in span.events],
            links=[_link(each) for each in span.links],
            kind=_KINDS[span.kind],
            status=_FAILED if span.failed else _UNSET,
            start_time=span.begins,
            end_time=span.ends,
            instrumentation_scope=self.scope,
        )

    def _attributes(self, attributes: Attributes) -> Attributes:
        more: dict[str, Attribute] = {}
        if self.gen_ai_system and names.PROVIDER in attributes:
            more[names.SYSTEM] = attributes[names.PROVIDER]
        if self.mlflow and names.COST in attributes:
            more[names.MLFLOW_COST] = json.dumps(_NO_PARTS | {"total_cost": attributes[names.COST]})
        return {**attributes, **more} if more else attributes


def form_of(
    service: Mapping[str, str], version: str, *, gen_ai_system: bool = False, mlflow: bool = False
) -> SpanForm:
    """Of a service with these attributes; nothing is added from the environment."""
    sdk = {
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.version": SDK_VERSION,
    }
    scope = InstrumentationScope("spillgate", version)
    return SpanForm(Resource({**sdk, **service}), scope, gen_ai_system, mlflow)


def _link(link: SpanLink) -> Link:
    return Link(SpanContext(int(link.trace_id, 16), int(link.span_id, 16), True, _SAMPLED))  # noqa: FBT003  # is_remote
