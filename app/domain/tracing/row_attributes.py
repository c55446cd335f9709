"""A ledger row as the attributes of a log record, by the names that spans have, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.domain.ledger.ledger_row import LedgerRow
from app.domain.quota.limit import NANO
from app.domain.tracing import attribute_names as names
from app.domain.tracing.spans import Attribute

#: The name of the event that a row is.
EVENT: Final = "spillgate.ledger.row"

#: Of the ledger alone. By tenant, id and kind a row is told that was sent twice.
ROW_ID: Final = "spillgate.ledger.id"
ROW_KIND: Final = "spillgate.ledger.kind"
ROW_LINE: Final = "spillgate.ledger.line"
ROW_DAY: Final = "spillgate.ledger.day"
ROW_CORRECTS: Final = "spillgate.ledger.corrects"  # the id of an estimate; amounts may be negative
COST_NANO: Final = "spillgate.cost.nano_usd"  # a whole number: sums are exact
CHARGED: Final = "spillgate.charged"
TAG: Final = "spillgate.tag."
_DURATION: Final = "spillgate.duration_s"


def row_attributes(line: int, row: LedgerRow) -> dict[str, Attribute]:
    """All that is known; `line` is that of the archive, and grows. Durations are in seconds."""
    found: dict[str, Attribute | None] = {
        ROW_ID: row.id,
        ROW_KIND: row.kind.value,
        ROW_LINE: line,
        ROW_DAY: row.day or None,
        ROW_CORRECTS: row.corrects or None,
        CHARGED: row.is_charged,
        names.TENANT: row.tenant,
        names.REQUEST_ID: row.request_id or None,
        names.KEY_ID: row.key_id,
        names.OUTCOME: row.outcome,
        names.ERROR_CODE: row.error,
        names.STATUS: row.status,
        names.SPILL: row.spill,
        names.CACHE: row.cache,
        names.ERRAND: row.errand or None,
        names.DEPLOYMENT: row.deployment,
        names.DEPLOYMENT_KIND: row.deployment_kind,
        names.FLAGS: row.flags or None,
        names.REQUEST_MODEL: row.model,
        names.OPERATION: row.operation,
        names.REQUEST_STREAM: row.stream,
        names.FIRST_CHUNK_S: row.time_to_first_token,
        _DURATION: row.duration,
        **_amounts(row),
        **{f"{TAG}{name}": value for name, value in row.tags.items()},
    }
    return {name: value for name, value in found.items() if value is not None}


def _amounts(row: LedgerRow) -> Mapping[str, Attribute]:
    return {
        names.INPUT_TOKENS: row.input,
        names.CACHED_TOKENS: row.cached_input,
        names.OUTPUT_TOKENS: row.output,
        names.REASONING_TOKENS: row.reasoning,
        names.COST: row.nano_usd / NANO,
        COST_NANO: row.nano_usd,
        names.RESERVED_TOKENS: row.reserved_tokens,
        names.CACHE_SAVED: row.saved_nano_usd / NANO,
    }
