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
from msgspec import UNSET, UnsetType

from app.adapters.logs.levels import REQUEST
from app.adapters.logs.rendering import MAX_ITEMS
from app.domain.ledger.completion import Receipt
from app.domain.ledger.error_type import error_type
from app.domain.policy.findings import Finding
from app.domain.routing.attempt import Attempt, Verdict
from app.domain.routing.route import Absence

_NANO: Final = 1_000_000_000
_PARTS: Final = 10_000.0
#: Names that are remembered; of a gateway there are some hundred.
_MOST_NAMES: Final = 10_000

#: What a text is where it may be written.
Shown = Callable[[str], str]
#: A tenant, its key, a model, its deployment, and an error.
_Named = tuple[str | None, str | None, str | None, str | None, str | None]


class RequestLine(msgspec.Struct, gc=False):
    """The line, in its order. docs/logs.md says what each field is."""

    worker: int | UnsetType
    pid: int | UnsetType
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
            self.clear()
        shown = self[name] = None if name is None else self._shown(name)
        return shown


class Moments:
    """Unix times as they are written; what several have in common is written once."""

    def __init__(self) -> None:
        self._second, self._text = -1, ""

    def written(self, unix: float) -> str:
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
        self._names = Names(shown)
        self._moments = Moments()
        #: What many receipts have in common: names as they are written, and how an attempt ended.
        self._known: dict[_Named, _Named] = {}
        self._tried: dict[tuple[str, int | None, Verdict], str] = {}
        #: In each line, where several processes write one log.
        self.worker: int | UnsetType = UNSET
        self.pid: int | UnsetType = UNSET

    def forget(self) -> None:
        """Look at all names anew: there are secrets that were not known."""
        self._names.clear()
        self._known.clear()
        self._tried.clear()

    def line(self, receipt: Receipt, request_id: str) -> RequestLine:
        """It holds ids and counts, and no word of what was asked or answered.

        `request_id` is the receipt's as it may be written.
        """
        cache, first, plan = receipt.cache, receipt.time_to_first_token, receipt.plan
        reservation, usage = receipt.reservation, receipt.usage
        names = receipt.tenant, receipt.key_id, receipt.model, receipt.deployment, receipt.error
        tenant, key_id, model, deployment, error = self._known.get(names) or self._looked_up(names)
        return RequestLine(
            self.worker,
            self.pid,
            request_id,
            receipt.trace_id,
            receipt.client,  # an address in the form of ours
            tenant,
            key_id,
            receipt.operation,
            model,
            receipt.stream,
            deployment,
            receipt.deployment_kind,
            receipt.status,
            receipt.outcome,
            error,
            error_type(receipt),
            receipt.spill,
            cache.result,
            cache.reason or None,
            len(receipt.attempts),
            [self._attempt(each) for each in receipt.attempts[:MAX_ITEMS]],
            self._skipped(receipt) if receipt.skipped or (plan and plan.absences) else [],
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
            self._moments.written(receipt.started_at + receipt.duration),
        )

    def _looked_up(self, names: _Named) -> _Named:
        if len(self._known) >= _MOST_NAMES:
            self._known.clear()
        tenant, key_id, model, deployment, error = map(self._names.__getitem__, names)
        shown = self._known[names] = (tenant, key_id, model, deployment, error)
        return shown

    def _told(self, deployment: str, status: int | None, verdict: Verdict) -> str:
        if len(self._tried) >= _MOST_NAMES:
            self._tried.clear()
        answer = "no_answer" if status is None else status
        told = f"{self._names[deployment]} {answer} {verdict}"
        self._tried[deployment, status, verdict] = told
        return told

    def _skipped(self, receipt: Receipt) -> list[str]:
        absences = receipt.plan.absences if receipt.plan is not None else ()
        return [self._absence(each) for each in (*absences, *receipt.skipped)[:MAX_ITEMS]]

    def _finding(self, finding: Finding) -> str:
        return f"{finding.action} {finding.kind} {self._names[finding.name]}"

    def _attempt(self, attempt: Attempt) -> str:
        ended = attempt.deployment, attempt.status, attempt.verdict
        told = self._tried.get(ended) or self._told(*ended)
        return f"{told} {round((attempt.ended - attempt.started) * 1000)}ms"

    def _absence(self, absence: Absence) -> str:
        return f"{self._names[absence.deployment]} {absence.reason}"


def _rounded(seconds: float) -> float:
    """To tenths of a millisecond, in a sixth of the time of `round`."""
    return floor(seconds * _PARTS + 0.5) / _PARTS


_encode = msgspec.json.Encoder().encode_lines


def encoded(lines: list[RequestLine]) -> bytes:
    """Each as JSON, in ASCII, and its end.

    A list: of anything else msgspec 0.22 keeps the iterator, and with it all that it came from.
    """
    data = _encode(lines)
    return data if data.isascii() else b"".join(map(_in_ascii, data.splitlines()))


def _in_ascii(line: bytes) -> bytes:
    if line.isascii():
        return line + b"\n"
    return json.dumps(msgspec.json.decode(line), separators=(",", ":")).encode() + b"\n"
