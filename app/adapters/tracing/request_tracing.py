"""The port Tracing: a sampler decides which requests are traced, an export sends their spans."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from opentelemetry.trace import TracerProvider

from app.adapters.tracing import as_it_happens
from app.adapters.tracing.export import SpanExport
from app.domain.call.trace import Caller, TraceContext
from app.domain.ledger.completion import Receipt
from app.domain.tracing.said import Said, rewritten
from app.domain.tracing.sampling import Sampler, SamplingPolicy
from app.domain.tracing.span_attributes import Server


@dataclass(slots=True)
class RequestTracing:
    """For as long as the export is open; what a reload changes is put in force by `follow`.

    `redacted` takes out of a text what this process knows to be secret.
    """

    sampler: Sampler
    export: SpanExport
    redacted: Callable[[str], str] = str
    most_content: int = 0

    def begin(self, caller: Caller | None, now: float, *, wanted: bool = False) -> TraceContext:
        """The context of a request that came at `now`, monotonic."""
        return self.sampler.begin(caller, now, wanted=wanted)

    def keeps(self, receipt: Receipt) -> bool:
        """Whether spans of it are to be recorded."""
        return self.sampler.keeps(receipt)

    def record(self, receipt: Receipt, said: Said) -> None:
        """Have them sent; an answer's own id may be a key of ours, which looks no different."""
        self.export.record(receipt, rewritten(said, self.redacted))

    def tracer_provider(self) -> TracerProvider:
        """For what is traced as it happens, by the same policy and to the same receivers."""
        put, resource = self.export.put, self.export.resource
        return as_it_happens.tracer_provider(
            put, resource, policy=lambda: self.sampler.policy, now=time.monotonic
        )

    @property
    def lost_total(self) -> int:
        """Spans that no receiver got."""
        return self.export.lost_total

    def follow(
        self, policy: SamplingPolicy, *, most_content: int, servers: Mapping[str, Server]
    ) -> None:
        """From now on, choose by another policy; `servers` are the deployments by their names."""
        self.sampler.policy = policy
        self.most_content = most_content
        self.export.servers = servers
