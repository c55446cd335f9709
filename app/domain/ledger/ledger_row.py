"""One row of the ledger: what became of one reservation, or of one request that was refused."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec
from msgspec.structs import replace

from app.domain.capacity.spill import SpillReason
from app.domain.quota.reservation import Amounts


class RowKind(StrEnum):
    """What a row records; a closed set."""

    SETTLED = "settled"  # charged
    RELEASED = "released"  # given back: nothing was generated
    EXPIRED = "expired"  # its hold ended by itself: nothing charged (yet)
    MERGED = "merged"  # charged to an account that did not know its hold: an outage, a flush
    REFUSED = "refused"  # never held anything
    UNMETERED = "unmetered"  # its route costs nothing


_SETTLED: Final = RowKind.SETTLED
CHARGED: Final = frozenset({RowKind.SETTLED, RowKind.MERGED})

_NO_SPILL: Final = SpillReason.NONE
_NOTHING: Final = Amounts()

#: What the account adds to an entry of the stream, since a script changes no row.
_EXPIRED = "expired"
_LATE = "late"
_ADOPTED = "adopted"


class UnreadableRow(ValueError):
    """These bytes are no ledger row."""


class LedgerRow(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Flat, so that it is a line in a file and a record in a table.

    Tokens are as in `Usage`, not disjoint: `cached_input` is part of `input`, `reasoning` of
    `output`. Times are Unix seconds, durations seconds, money nano-dollars. Words of other closed
    sets (outcome, operation, spill, cache, errand, …) are plain text here, so that rows of newer
    versions can be read. Per tenant an `id` is charged at most once.

    As a line it has what is not as by default.

    `flags` are `estimated`, `background`, `correction`, `unpriced`, `late`, `expired`, `degraded`,
    `soft:<limit>`, `shadow:<limit>`, `spill:<limit>` and `lease:<requests>`. `tags` are the
    request's, its key's and its tenant's, in that order where they have the same name; each of
    these has a bounded number of them.
    """

    id: str  # of the reservation; of the request where there was none
    kind: RowKind
    at: float
    tenant: str
    request_id: str = ""
    key_id: str | None = None
    model: str | None = None
    deployment: str | None = None
    deployment_kind: str | None = None
    operation: str | None = None
    stream: bool = False
    status: int | None = None
    outcome: str | None = None
    error: str | None = None
    spill: str = "none"
    input: int = 0
    cached_input: int = 0
    output: int = 0
    reasoning: int = 0
    nano_usd: int = 0
    reserved_tokens: int = 0
    reserved_nano_usd: int = 0
    flags: tuple[str, ...] = ()
    tags: dict[str, str] = {}  # made anew for each
    started_at: float = 0.0
    duration: float = 0.0
    time_to_first_token: float | None = None
    attempts: int = 0
    day: str = ""  # YYYY-MM-DD in the tenant's time zone: the day that is charged
    cache: str = "bypass"  # where the answer came from
    saved_nano_usd: int = 0  # what it would have cost upstream
    hour: str = ""  # YYYY-MM-DDTNN: which of that day's hours, from 00 on; empty: it is in no hour
    errand: str = ""  # what the gateway itself asked it for; empty: it was a caller's
    corrects: str = ""  # the id of the estimate that it corrects, by what may be below zero

    @property
    def month(self) -> str:
        """The calendar month (YYYY-MM) that is charged: a reservation's day lies in its month."""
        return self.day[:7]

    @property
    def spilled(self) -> bool:
        """Whether it was served outside its first tier, by Azure's own spillover, too."""
        return self.spill != _NO_SPILL

    @property
    def is_charged(self) -> bool:
        """Whether it changes what its tenant has used."""
        return self.kind is _SETTLED or self.kind is RowKind.MERGED

    @property
    def charged(self) -> Amounts:
        """What this row commits in its tenant's account: to be charged with, and reseeded from.

        A correction is no further request.
        """
        if self.is_charged:
            return Amounts(0 if self.corrects else 1, self.input + self.output, self.nano_usd)
        return _NOTHING


_DECODER: Final = msgspec.json.Decoder(LedgerRow)
_ENCODER: Final = msgspec.json.Encoder()


def encode(row: LedgerRow) -> bytes:
    """The row as one line of JSON, without its end."""
    return _ENCODER.encode(row)


def decode(data: bytes | msgspec.Raw) -> LedgerRow:
    """The row in these bytes; fields of newer versions are passed over. Raises UnreadableRow."""
    try:
        return _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadableRow(f"not a ledger row: {error}") from error


def marked(row: LedgerRow, mark: str, at: float) -> LedgerRow:
    """The row, with what the account found when it wrote it at `at` (Unix seconds)."""
    if mark == _EXPIRED:
        return replace(row, kind=RowKind.EXPIRED, at=at, flags=_with(row.flags, _EXPIRED))
    if mark == _LATE:
        return replace(row, flags=_with(row.flags, _LATE))
    if mark == _ADOPTED and row.kind is RowKind.SETTLED and not row.corrects:
        return replace(row, kind=RowKind.MERGED)
    return row


def _with(flags: tuple[str, ...], flag: str) -> tuple[str, ...]:
    return flags if flag in flags else (*flags, flag)
