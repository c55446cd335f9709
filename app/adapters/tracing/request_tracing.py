"""The port Tracing: a sampler decides which requests are traced, an export sends their spans."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from opentelemetry.trace import TracerProvider

from app.adapters.tracing import as_it_happens
from app.adapters.tracing.export import SpanExport
from app.domain.ledger.completion import Receipt
from app.domain.tracing.said import Said, rewritten
from app.domain.tracing.sampling import Sampler, SamplingPolicy
from app.domain.tracing.span_attributes import Server


class RequestTracing:
    """For as long as the export is open; what a reload changes is put in force by `follow`."""

    def __init__(
        self, sampler: Sampler, export: SpanExport, redacted: Callable[[str], str] = str
    ) -> None:
        """`redacted` takes out of a text what this process knows to be secret."""
        self.sampler = sampler
        self.export = export
        self.most_content = 0
        self._redacted = redacted
        self.begin = sampler.begin
        self.keeps = sampler.keeps

    def record(self, receipt: Receipt, said: Said) -> None:
        """Have them sent; an answer's own id may be a key of ours, which looks no different."""
        self.export.record(receipt, rewritten(said, self._redacted))

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
