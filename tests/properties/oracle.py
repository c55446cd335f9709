"""What an account must hold, in plain Python, from the invariants alone.

It keeps what happened and nothing else; whatever is asked of it is a sum over that. It knows
nothing of buckets, counters or keys. A sliding window may forget late, by a sixtieth of its length,
and never early: there, `least` and `most` bound what the account may believe.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Final

from app.domain.quota.limit import SPILLED, Kind, Limit, Measure, Mode
from app.domain.quota.reservation import UNUSED, Amounts, Part
from tests.fakes.changed import replace

#: A window forgets within this part of its length.
_GRAINS: Final = 60


@dataclass(slots=True)
class Entry:
    """Something that counts in a sliding window from `moment` on."""

    moment: int
    amount: int
    grain_ms: float
    certain: bool = True  # else it may be forgotten, or may never have counted here


@dataclass(slots=True)
class Hold:
    """A reservation that was granted and did not end yet; of a lease, `amounts` is what is left.

    What is held aside is no running request: that of a lease, which is granted on in parts.
    """

    amounts: Amounts
    scopes: tuple[str, ...]
    day: str
    month: str
    hour: str
    ends: int
    aside: bool = False
    corrected: list[tuple[Limit, Entry]] = field(default_factory=list)
    given_back: list[tuple[Limit, Entry]] = field(default_factory=list)  # what was not used of them
    settled: set[int] = field(default_factory=set)  # numbers of parts


@dataclass(frozen=True, slots=True)
class Charged:
    """Something that was charged, with the totals it belongs to."""

    id: str
    amounts: Amounts
    scopes: tuple[str, ...]
    day: str
    month: str
    hour: str


class Oracle:
    """One tenant's account; `now` is Unix time in milliseconds and is set from outside."""

    def __init__(self, zone: tzinfo, now: int) -> None:
        self.zone = zone
        self.now = now
        self.holds: dict[str, Hold] = {}
        self.expired: dict[str, Hold] = {}
        self.marked: set[str] = set()  # settled, though granted in another generation
        self.charges: list[Charged] = []
        self.entries: dict[tuple[str, str], list[Entry]] = {}

    # ---- time ----

    @property
    def day(self) -> str:
        """The date on the tenant's wall."""
        return datetime.fromtimestamp(self.now / 1000, self.zone).date().isoformat()

    @property
    def month(self) -> str:
        return self.day[:7]

    @property
    def hour(self) -> str:
        """How many hours of the day have gone by."""
        midnight = datetime.fromisoformat(self.day).replace(tzinfo=self.zone).timestamp()
        return f"{self.day}T{int(self.now - midnight * 1000) // 3_600_000:02}"

    @property
    def overdue(self) -> set[str]:
        """Holds that must not count any more, whether or not the account noticed."""
        return {id_ for id_, hold in self.holds.items() if hold.ends <= self.now}

    def expire(self, ids: Iterable[str]) -> None:
        """These ended by themselves."""
        for id_ in ids:
            self.expired[id_] = self.holds.pop(id_)

    def edges(self, limits: Iterable[Limit]) -> Iterator[int]:
        """Moments at which something changes by itself."""
        yield from (hold.ends for hold in self.holds.values())
        for limit in limits:
            for entry in self.entries.get((limit.name, limit.scope), ()):
                yield entry.moment + limit.window_ms
                yield round(entry.moment + limit.window_ms + entry.grain_ms)

    # ---- sums ----

    def committed(self, period: str, name: str) -> dict[str, int]:
        """Every total that is not zero, as MEASURE:SCOPE."""
        rows = (each for each in self.charges if getattr(each, period) == name)
        return sums((counted(period, each.scopes), each.amounts) for each in rows)

    def held(self, period: str, name: str) -> dict[str, int]:
        """The same of what is held."""
        alive = (hold for id_, hold in self.holds.items() if id_ not in self.overdue)
        ours = (hold for hold in alive if getattr(hold, period) == name)
        return sums((counted(period, hold.scopes), hold.amounts) for hold in ours)

    def live(self, scope: str) -> int:
        """How many requests run."""
        alive = (hold for id_, hold in self.holds.items() if id_ not in self.overdue)
        return sum(scope in hold.scopes for hold in alive if not hold.aside)

    def used(self, limit: Limit) -> tuple[int, int]:
        """At least, and at most, how much of a limit is used."""
        if limit.kind is Kind.LIVE:
            return (self.live(limit.scope),) * 2
        if limit.kind is Kind.WINDOW:
            return self._least(limit), self._most(limit)
        name = getattr(self, limit.kind)
        field_ = f"{limit.measure}:{limit.scope}"
        both = (self.committed(limit.kind, name), self.held(limit.kind, name))
        return (sum(totals.get(field_, 0) for totals in both),) * 2

    def _least(self, limit: Limit) -> int:
        """Exactly the last window, as far as it was never forgotten."""
        entries = self.entries.get((limit.name, limit.scope), ())
        since = self.now - limit.window_ms
        return sum(each.amount for each in entries if each.certain and each.moment > since)

    def _most(self, limit: Limit) -> int:
        entries = self.entries.get((limit.name, limit.scope), ())
        since = self.now - limit.window_ms
        return sum(each.amount for each in entries if each.moment + each.grain_ms + 1 > since)

    # ---- reserve ----

    def is_refused(self, amounts: Amounts, limits: Sequence[Limit]) -> tuple[bool, bool]:
        """Whether it must be, and whether it may be."""
        hard = [limit for limit in limits if limit.mode is Mode.HARD]
        lacks = [self.lacks(limit, need(amounts, limit)) for limit in hard]
        return any(must for must, _ in lacks), any(may for _, may in lacks)

    def lacks(self, limit: Limit, asked: int) -> tuple[bool, bool]:
        """Whether a limit must lack room, and whether it may; for nothing there is room."""
        least, most = self.used(limit)
        return 0 < asked > limit.amount - least, 0 < asked > limit.amount - most

    def shut(self, amounts: Amounts, limits: Sequence[Limit]) -> set[str]:
        """Scopes that the request is kept out of, since a spill budget of theirs has no room."""
        budgets = [limit for limit in limits if limit.mode is Mode.SPILL]
        return {each.scope for each in budgets if self.lacks(each, need(amounts, each))[0]}

    def grant(
        self,
        id_: str,
        amounts: Amounts,
        scopes: tuple[str, ...],
        *,
        limits: Sequence[Limit],
        ttl_ms: int,
        aside: bool = False,
    ) -> None:
        """It was taken, in every scope that it is not kept out of."""
        shut = self.shut(amounts, limits)
        kept = tuple(scope for scope in scopes if scope not in shut)
        hold = Hold(amounts, kept, self.day, self.month, self.hour, self.now + ttl_ms, aside)
        for limit in limits:
            if limit.kind is Kind.WINDOW:
                entry = self._enter(limit, need(amounts, limit))
                of_tokens = limit.measure is Measure.TOKENS
                (hold.corrected if of_tokens else hold.given_back).append((limit, entry))
        self.holds[id_] = hold
        self.expired.pop(id_, None)

    def _enter(self, limit: Limit, amount: int, *, certain: bool = True) -> Entry:
        entries = self.entries.setdefault((limit.name, limit.scope), [])
        for old in entries:
            # Whoever looked may have cleared up: a longer window later does not bring it back.
            old.certain &= old.moment > self.now - limit.window_ms
        entry = Entry(self.now, amount, limit.window_ms / _GRAINS, certain)
        entries.append(entry)
        return entry

    # ---- settle ----

    def outcomes(self, id_: str, *, of_this_generation: bool, part: Part | None = None) -> set[str]:
        """How a settlement of it may go."""
        if not of_this_generation and id_ in self.marked:
            return {"duplicate"}
        name = part.lease if part else id_
        hold = self.holds.get(name) or self.expired.get(name)
        if hold is None:
            return {"duplicate"} if of_this_generation else {"adopted"}
        if part and part.number in hold.settled:
            return {"duplicate"}
        if name in self.expired:
            return {"late"}
        return {"settled", "late"} if name in self.overdue else {"settled"}

    def settle(self, charged: Charged, outcome: str, *, of_this_generation: bool) -> None:
        """Charge it, if it was not, where it says; but in the day and month of its hold."""
        id_, actual = charged.id, charged.amounts
        if not of_this_generation:
            self.marked.add(id_)
        if outcome == "duplicate":
            return
        if outcome == "adopted":
            self.charges.append(charged)
            return
        hold = self._released(id_)
        for limit, entry in hold.corrected:
            self._correct(limit, entry, actual.tokens - hold.amounts.tokens)
        self.charges.append(replace(charged, day=hold.day, month=hold.month, hour=hold.hour))

    def release(self, id_: str) -> None:
        """Nothing was used of it, and nobody charged."""
        hold = self._released(id_)
        for limit, entry in hold.corrected:
            self._correct(limit, entry, -hold.amounts.tokens)

    def _released(self, id_: str) -> Hold:
        return self.holds.pop(id_, None) or self.expired.pop(id_)

    def settle_part(
        self,
        charged: Charged,
        outcome: str,
        part: Part,
        of_it: Amounts,
        *,
        of_this_generation: bool,
    ) -> None:
        """Charge it, and hold `of_it` no more; requests that nobody made count no more either."""
        if not of_this_generation:
            self.marked.add(charged.id)
        if outcome == "duplicate":
            return
        if part.number != UNUSED:
            self.charges.append(charged)
        if outcome == "adopted":
            return
        lease = self.holds.get(part.lease) or self.expired[part.lease]
        lease.settled.add(part.number)
        for limit, entry in lease.corrected:
            self._correct(limit, entry, charged.amounts.tokens - of_it.tokens)
        for limit, entry in lease.given_back if part.number == UNUSED else ():
            self._correct(limit, entry, -of_it.requests)
        lease.amounts = _less(lease.amounts, of_it)
        if lease.amounts == Amounts():
            self._released(part.lease)

    def _correct(self, limit: Limit, entry: Entry, difference: int) -> None:
        """It counts from when it was reserved; what is beyond a window that is over counts now."""
        age = self.now - entry.moment
        if age < limit.window_ms:
            entry.amount += difference
            return
        surely_over = age > limit.window_ms + entry.grain_ms + 1
        if difference > 0:
            self._enter(limit, difference, certain=surely_over)
        if surely_over:
            return
        entry.amount += difference
        if difference < 0:  # or it was forgotten as it was, which the clock may bring back
            forgotten = replace(entry, amount=-difference, certain=False)
            self.entries[limit.name, limit.scope].append(forgotten)

    # ---- loss ----

    def flush(self) -> None:
        """All is gone but what the archive has: every charge, each id once, and which ids."""
        self.begin_generation()
        self.marked = {each.id for each in self.charges}
        self.holds.clear()
        self.expired.clear()
        self.entries.clear()

    def begin_generation(self) -> None:
        """What the archive has is charged, each id once; and what is held is held on."""
        first: dict[str, Charged] = {}
        for each in self.charges:
            first.setdefault(each.id, each)
        self.charges = list(first.values())
        self.marked |= set(first)


def counted(period: str, scopes: Sequence[str]) -> tuple[str, ...]:
    """The scopes that are counted of a kind of window: by the hour what is spilled alone."""
    return tuple(scope for scope in scopes if period != Kind.HOUR or scope == SPILLED)


def need(amounts: Amounts, limit: Limit) -> int:
    """What a request takes of a limit."""
    return 1 if limit.kind is Kind.LIVE else amounts.of(limit.measure)


def sums(parts: Iterable[tuple[Sequence[str], Amounts]]) -> dict[str, int]:
    """By MEASURE:SCOPE, zeros left out."""
    found: dict[str, int] = {}
    for scopes, amounts in parts:
        for measure in Measure:
            for scope in scopes:
                name = f"{measure}:{scope}"
                found[name] = found.get(name, 0) + amounts.of(measure)
    return without_zeros(found)


def _less(amounts: Amounts, by: Amounts) -> Amounts:
    return Amounts(*(amounts.of(measure) - by.of(measure) for measure in Measure))


def without_zeros(totals: Mapping[str, int]) -> dict[str, int]:
    return {name: amount for name, amount in totals.items() if amount}
