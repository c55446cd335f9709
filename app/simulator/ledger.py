"""The simulator's record of what it served, against which a gateway's accounts are checked."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import msgspec

Outcome = Literal["complete", "refused", "error", "client_gone"]

_KEPT_ROWS: Final = 100_000


class Row(msgspec.Struct, kw_only=True):
    """One request, from when it came until it ended; times are Unix seconds with fractions.

    Tokens are those that a bill would show: none for what was refused. The status is 499 when the
    client left before there was one. Trace context is as the headers said it, empty without any.
    """

    deployment: str
    endpoint: str
    status: int = 499
    stream: bool = False
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    max_tokens: int | None = None
    started: float
    ended: float = 0.0
    outcome: Outcome = "error"
    traceparent: str = ""
    tracestate: str = ""
    baggage: str = ""


class Total(msgspec.Struct):
    """Sums of one deployment."""

    requests: int = 0
    refused: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class Ledger:
    """Rows in the order in which they ended; the last 100,000 are kept, all are in the totals."""

    def __init__(self) -> None:
        self._rows: deque[Row] = deque(maxlen=_KEPT_ROWS)
        self._totals: defaultdict[str, Total] = defaultdict(Total)

    def add(self, row: Row) -> None:
        self._rows.append(row)
        total = self._totals[row.deployment]
        total.requests += 1
        total.refused += row.outcome == "refused"
        total.input_tokens += row.input_tokens
        total.output_tokens += row.output_tokens

    def clear(self) -> None:
        self._rows.clear()
        self._totals.clear()

    def report(self, utilizations: Mapping[str, Callable[[], float]]) -> dict[str, Any]:
        """Rows and totals; `utilizations` names every deployment."""
        totals = {
            name: {**msgspec.to_builtins(self._totals[name]), "utilization": utilization()}
            for name, utilization in utilizations.items()
        }
        return {"served": msgspec.to_builtins(list(self._rows)), "totals": totals}
