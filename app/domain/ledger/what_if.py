"""What limits would have refused: the recorded ledger replayed against them.

Each recorded request asks again, when it began and for what it reserved then, and settles when it
ended, with what it used. Counting is the account's own: windows of 60 buckets, days and months in
the tenant's time zone. A request that would have been refused takes nothing.

Left out are requests that were refused when they were recorded (what they would have used nobody
knows) and those that cost nothing. So the answer is too low for limits above those of the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final, NamedTuple

from app.domain.ledger.ledger_row import LedgerRow, RowKind
from app.domain.quota.limit import Kind, Limit, LimitRule, Mode, limit_of
from app.domain.quota.reservation import Amounts

#: Rows of one replay: what fits in memory, and takes seconds.
MOST_ROWS: Final = 1_000_000

_BUCKETS: Final = 60
_ASKED: Final = frozenset({RowKind.SETTLED, RowKind.MERGED, RowKind.RELEASED, RowKind.EXPIRED})


class TooManyRows(ValueError):
    """The period holds more than can be replayed at once."""

    def __init__(self) -> None:
        super().__init__(f"the period holds more than {MOST_ROWS:,} requests; choose a shorter one")


@dataclass(frozen=True, slots=True)
class LimitOutcome:
    """What one limit did: requests it had no room for, and the most it would have had to hold."""

    rule: LimitRule
    over: int
    first_at: float | None
    peak: int


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Of so many requests, so many would have been refused; by soft and shadow limits none is."""

    requests: int
    refused: int
    first_refused_at: float | None
    limits: tuple[LimitOutcome, ...]


class _Request(NamedTuple):
    """Unix milliseconds, and amounts."""

    starts: int
    ends: int
    day: str
    key_id: str
    model: str
    reserved: Amounts
    used: Amounts


def what_if(
    rows: Iterable[LedgerRow],
    rules: Sequence[LimitRule],
    *,
    since: float | None = None,
    until: float | None = None,
) -> WhatIf:
    """Replay one tenant's rows, in any order, against `rules`.

    Requests that began before `since` (Unix seconds) are in the counts, and refused by nothing;
    those from `until` on are left out. Raises TooManyRows.
    """
    requests = sorted(_requests(rows))
    replay = _Replay([_Meter(rule) for rule in rules])
    for request in requests:
        if until is None or request.starts < until * 1000:
            replay.ask(request, counts=since is None or request.starts >= since * 1000)
    return replay.outcome()


def _requests(rows: Iterable[LedgerRow]) -> list[_Request]:
    """Each request once; what was settled late is not an expired one any more."""
    found: dict[str, tuple[RowKind, _Request]] = {}
    for row in rows:
        known = found.get(row.id)
        is_asked = row.kind in _ASKED and not row.corrects
        if is_asked and (known is None or known[0] is RowKind.EXPIRED):
            found[row.id] = row.kind, _request(row)
        if len(found) > MOST_ROWS:
            raise TooManyRows
    return [request for _, request in found.values()]


def _request(row: LedgerRow) -> _Request:
    used = row.charged
    reserved = Amounts(1, row.reserved_tokens or used.tokens, row.reserved_nano_usd)
    starts = round((row.started_at or row.at) * 1000)
    return _Request(
        starts=starts,
        ends=max(starts, round(row.at * 1000)),
        day=row.day,
        key_id=row.key_id or "",
        model=row.model or "",
        reserved=reserved,
        used=used,
    )


@dataclass(slots=True)
class _Meter:
    """One rule: what is counted in it, by bucket, day or month, and what became of it."""

    rule: LimitRule
    counted: dict[int | str, int] = field(default_factory=dict)
    sum: int = 0
    over: int = 0
    first_at: float | None = None
    peak: int = 0
    plain: Limit = field(init=False)
    overridden: Limit = field(init=False)

    def __post_init__(self) -> None:
        self.overridden = limit_of(self.rule, 0.0)
        self.plain = limit_of(self.rule, self.rule.override_until)

    def limit(self, now: int) -> Limit:
        """The limit in force."""
        return self.overridden if now < self.rule.override_until * 1000 else self.plain

    def meets(self, request: _Request) -> bool:
        """Whether the rule is about this request."""
        return self.rule.key_id in {None, request.key_id} and (
            self.rule.model in {None, request.model}
        )

    def has_room(self, request: _Request, *, counts: bool) -> bool:
        """Whether the request fits; if not, and it counts, that is noted."""
        limit = self.limit(request.starts)
        need = self._used(limit, request) + request.reserved.of(limit.measure)
        if not counts:
            return True
        self.peak = max(self.peak, need)
        if need <= limit.amount:
            return True
        self.over += 1
        if self.first_at is None:
            self.first_at = request.starts / 1000
        return False

    def take(self, request: _Request) -> None:
        """Count what it reserves."""
        limit = self.limit(request.starts)
        self._count(_place(limit, request, request.starts), request.reserved.of(limit.measure))

    def settle(self, request: _Request) -> None:
        """Count what it used instead; what runs no more is not among what runs."""
        limit = self.limit(request.starts)
        used = 0 if limit.kind is Kind.LIVE else request.used.of(limit.measure)
        difference = used - request.reserved.of(limit.measure)
        place = _place(limit, request, request.starts)
        if limit.kind is Kind.WINDOW:
            self._forget(limit, request.ends)
            if place not in self.counted:
                if difference < 0:
                    return  # the bucket that it was taken in is forgotten
                place = _place(limit, request, request.ends)
        self._count(place, difference)

    def _used(self, limit: Limit, request: _Request) -> int:
        if limit.kind is not Kind.WINDOW:
            return self.counted.get(_place(limit, request, request.starts), 0)
        self._forget(limit, request.starts)
        return self.sum

    def _forget(self, limit: Limit, now: int) -> None:
        """Drop the buckets that are a whole window old; they were made in the order of time."""
        while self.counted:
            oldest = next(iter(self.counted))
            if not isinstance(oldest, int) or oldest + limit.window_ms > now:
                return
            self.sum -= self.counted.pop(oldest)

    def _count(self, place: int | str, amount: int) -> None:
        self.counted[place] = self.counted.get(place, 0) + amount
        self.sum += amount


class _Replay:
    """Time goes on from request to request; whatever ended by then has settled."""

    def __init__(self, meters: Sequence[_Meter]) -> None:
        self._meters = meters
        self._running: list[tuple[int, int, _Request]] = []
        self._asked = self._refused = self._number = 0
        self._first: float | None = None

    def ask(self, request: _Request, *, counts: bool) -> None:
        """One request; where it does not count, it happened whatever the limits say."""
        self._settle_until(request.starts)
        met = [meter for meter in self._meters if meter.meets(request)]
        full = [meter for meter in met if not meter.has_room(request, counts=counts)]
        self._asked += counts
        if any(meter.rule.mode is Mode.HARD for meter in full):
            self._refused += 1
            self._first = self._first or request.starts / 1000
            return
        for meter in met:
            meter.take(request)
        self._number += 1
        heappush(self._running, (request.ends, self._number, request))

    def outcome(self) -> WhatIf:
        """What became of all of it."""
        limits = tuple(
            LimitOutcome(meter.rule, meter.over, meter.first_at, meter.peak)
            for meter in self._meters
        )
        return WhatIf(self._asked, self._refused, self._first, limits)

    def _settle_until(self, now: int) -> None:
        while self._running and self._running[0][0] <= now:
            _, _, request = heappop(self._running)
            for meter in self._meters:
                if meter.meets(request):
                    meter.settle(request)


def _place(limit: Limit, request: _Request, moment: int) -> int | str:
    """Where an amount is counted: a bucket is named by the first moment after it."""
    if limit.kind is Kind.WINDOW:
        return -(-((moment * _BUCKETS // limit.window_ms + 1) * limit.window_ms) // _BUCKETS)
    if limit.kind is Kind.LIVE:
        return "live"
    return request.day if limit.kind is Kind.DAY else request.day[:7]
