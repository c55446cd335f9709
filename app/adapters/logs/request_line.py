"""One request as a line of the log: a struct, encoded as it stands.

Every request has one, so nothing is looked at twice: what a value is made of is known by where it
comes from. Words of closed sets and numbers are written as they are. Names (tenants, models,
deployments, codes of errors) are made fit to be written when they are first seen. The id of the
request is the caller's own, and is looked at each time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from math import floor
from typing import Final

import msgspec

from app.adapters.logs.levels import REQUEST
from app.adapters.logs.rendering import MAX_ITEMS
from app.domain.ledger.completion import Receipt
from app.domain.ledger.error_type import error_type
from app.domain.policy.findings import Finding
from app.domain.routing.attempt import Attempt
from app.domain.routing.route import Absence

_NANO: Final = 1_000_000_000
_PARTS: Final = 10_000.0
#: Names that are remembered; of a gateway there are some hundred.
_MOST_NAMES: Final = 10_000

#: What a text is where it may be written.
Shown = Callable[[str], str]


class RequestLine(msgspec.Struct, gc=False):
    """The line, in its order. docs/logs.md says what each field is."""

    request_id: str
    trace_id: str | None
    client: str | None
    tenant: str | None
    key_id: str | None
    operation: str | None
    model: str | None
    stream: bool
    deployment: str | None
    deployment_kind: str | None
    status: int | None
    outcome: str
    error: str | None
    error_type: str | None
    spill: str
    cache: str
    cache_reason: str | None
    attempts: int
    tried: list[str]
    skipped: list[str]
    input_tokens: int | None
    cached_input_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    cost_usd: float
    saved_usd: float
    duration_s: float
    time_to_first_token_s: float | None
    bytes: int
    degraded: str | None
    flags: tuple[str, ...]
    policies: list[str]
    errand: str | None
    event: str
    level: str
    time: str


class Names(dict[str | None, str | None]):
    """Names as they are written, looked at when they are first asked for."""

    def __init__(self, shown: Shown) -> None:
        super().__init__({None: None})
        self._shown = shown

    def __missing__(self, name: str | None) -> str | None:
        if len(self) >= _MOST_NAMES:
            self.forget()
        shown = self[name] = None if name is None else self._shown(name)
        return shown

    def forget(self) -> None:
        """Look at all of them anew: there are secrets that were not known."""
        self.clear()


class Moments:
    """Unix times as they are written; what several have in common is written once."""

    def __init__(self) -> None:
        self._second, self._text = -1, ""

    def __call__(self, unix: float) -> str:
        """In UTC, ISO 8601, to the microsecond."""
        second = int(unix)
        if second != self._second:
            text = datetime.fromtimestamp(second, UTC).isoformat()
            self._second, self._text = second, text.removesuffix("+00:00")
        micros = str(int((unix - second) * 1e6)).zfill(6)  # in a third of the time of `:06d`
        return f"{self._text}.{micros}Z"


class RequestLines:
    """Makes lines of receipts."""

    def __init__(self, shown: Shown) -> None:
        """`shown` makes of any text one that may be written."""
        self.names = Names(shown)
        self._moment = Moments()

    def line(self, receipt: Receipt, request_id: str) -> RequestLine:
        """It holds ids and counts, and no word of what was asked or answered.

        `request_id` is the receipt's as it may be written.
        """
        cache, first, names = receipt.cache, receipt.time_to_first_token, self.names
        reservation, usage = receipt.reservation, receipt.usage
        return RequestLine(
            request_id,
            receipt.trace_id,
            receipt.client,  # an address in the form of ours
            names[receipt.tenant],
            names[receipt.key_id],
            receipt.operation,
            names[receipt.model],
            receipt.stream,
            names[receipt.deployment],
            receipt.deployment_kind,
            receipt.status,
            receipt.outcome,
            names[receipt.error],
            error_type(receipt),
            receipt.spill,
            cache.result,
            cache.reason or None,
            len(receipt.attempts),
            [self._attempt(each) for each in receipt.attempts[:MAX_ITEMS]],
            self._skipped(receipt),
            None if usage is None else usage.input,
            None if usage is None else usage.cached,
            None if usage is None else usage.output,
            None if usage is None else usage.reasoning,
            receipt.nano_usd / _NANO,
            cache.saved_nano_usd / _NANO,
            _rounded(receipt.duration),
            None if first is None else _rounded(first),
            receipt.bytes_relayed,
            None if reservation is None else reservation.degraded,
            receipt.flags,
            [self._finding(each) for each in receipt.findings] if receipt.findings else [],
            receipt.errand,
            REQUEST,
            "info",
            self._moment(receipt.started_at + receipt.duration),
        )

    def _skipped(self, receipt: Receipt) -> list[str]:
        absences = receipt.plan.absences if receipt.plan is not None else ()
        if not absences and not receipt.skipped:
            return []
        return [self._absence(each) for each in (*absences, *receipt.skipped)[:MAX_ITEMS]]

    def _finding(self, finding: Finding) -> str:
        return f"{finding.action} {finding.kind} {self.names[finding.name]}"

    def _attempt(self, attempt: Attempt) -> str:
        name, status = self.names[attempt.deployment] or "", attempt.status
        told = "no_answer" if status is None else str(status)
        took_ms = round((attempt.ended - attempt.started) * 1000)
        return " ".join((name, told, attempt.verdict, f"{took_ms}ms"))

    def _absence(self, absence: Absence) -> str:
        return f"{self.names[absence.deployment]} {absence.reason}"


def _rounded(seconds: float) -> float:
    """To tenths of a millisecond, in a sixth of the time of `round`."""
    return floor(seconds * _PARTS + 0.5) / _PARTS


_encode = msgspec.json.Encoder().encode


def encoded(line: RequestLine) -> bytes:
    """As JSON, in ASCII, without an end."""
    data = _encode(line)
    if data.isascii():
        return data
    return json.dumps(msgspec.structs.asdict(line), separators=(",", ":")).encode()
