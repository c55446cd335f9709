"""Ledger rows as OTLP log records, in the bytes that a receiver is sent.

The messages are those of OpenTelemetry's own package. Its exporter is not used: it blocks, and
a sending that is under way cannot be given up when the process ends.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from typing import Final

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # has none
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
)
from opentelemetry.proto.logs.v1.logs_pb2 import (
    SEVERITY_NUMBER_INFO,
    LogRecord,
    ResourceLogs,
    ScopeLogs,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from app.domain.ledger.ledger_row import LedgerRow
from app.domain.tracing.row_attributes import EVENT, row_attributes
from app.domain.tracing.spans import Attribute

_NANO: Final = 1_000_000_000
#: Of OTLP's integers. A row of a defective upstream may have more, and is not to stop the others.
_LEAST: Final = -(2**63)
_MOST: Final = 2**63 - 1
_SCOPE: Final = "spillgate.ledger"
#: As fast as it gets; JSON-like attributes shrink to a tenth.
_LEVEL: Final = 1

NumberedRow = tuple[int, LedgerRow]


def request_body(
    rows: Sequence[NumberedRow], resource: Mapping[str, str], observed: float
) -> bytes:
    """One request with all rows, compressed (gzip). `observed` is the time of reading them."""
    scope = InstrumentationScope(name=_SCOPE)
    logs = ScopeLogs(scope=scope, log_records=[_record(*each, observed) for each in rows])
    about = Resource(attributes=_pairs(resource))
    request = ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(resource=about, scope_logs=[logs])]
    )
    return gzip.compress(request.SerializeToString(), _LEVEL)


def rejected(answer: bytes) -> int:
    """How many records a receiver says that it did not take of those it answered 200 for."""
    try:
        found = ExportLogsServiceResponse.FromString(answer)
    except DecodeError:
        return 0
    return int(found.partial_success.rejected_log_records)


def _record(line: int, row: LedgerRow, observed: float) -> LogRecord:
    return LogRecord(
        time_unix_nano=int(row.at * _NANO),
        observed_time_unix_nano=int(observed * _NANO),
        severity_number=SEVERITY_NUMBER_INFO,
        severity_text="INFO",
        event_name=EVENT,
        body=AnyValue(string_value=_told(row)),
        attributes=_pairs(row_attributes(line, row)),
    )


def _told(row: LedgerRow) -> str:
    """For people that look through records."""
    tokens = f"{row.input} + {row.output} tokens"
    return f"{row.kind.value} {row.tenant} {row.model}: {tokens}, {row.nano_usd / _NANO:.6f} USD"


def _pairs(attributes: Mapping[str, Attribute] | Mapping[str, str]) -> list[KeyValue]:
    return [KeyValue(key=name, value=_value(value)) for name, value in attributes.items()]


def _value(value: Attribute) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=min(_MOST, max(_LEAST, value)))
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=value)
    return AnyValue(array_value=ArrayValue(values=[_value(each) for each in value]))
