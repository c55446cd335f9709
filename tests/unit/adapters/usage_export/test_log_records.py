"""Ledger rows as log records."""

from __future__ import annotations

import gzip

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from app.adapters.usage_export.log_records import request_body
from tests.fakes.ledger_rows import ledger_row


def test_an_absurd_row_does_not_keep_the_others_back() -> None:
    """Older archives have counts of defective upstreams; OTLP's numbers have 64 bits."""
    rows = [
        (1, ledger_row("a", input=10**30, output=-(10**30), nano_usd=10**34)),
        (2, ledger_row("b", input=5)),
    ]
    sent = ExportLogsServiceRequest.FromString(gzip.decompress(request_body(rows, {}, 0.0)))
    first, second = (
        {each.key: each.value.int_value for each in record.attributes}
        for record in sent.resource_logs[0].scope_logs[0].log_records
    )
    assert first["gen_ai.usage.input_tokens"] == 2**63 - 1
    assert first["gen_ai.usage.output_tokens"] == -(2**63)
    assert second["gen_ai.usage.input_tokens"] == 5
